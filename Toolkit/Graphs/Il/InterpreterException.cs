using System.Reflection;

namespace Toolkit.Graphs.Il;

/// <summary>The interpreter met what it cannot do. It is no exception of the interpreted program: its handlers do not see it, but what cleans up runs.</summary>
internal sealed class InterpreterException(string message) : Exception(message)
{
    /// <summary>Where it happened.</summary>
    public (MethodBase Method, int Offset)? Position { get; set; }
}
