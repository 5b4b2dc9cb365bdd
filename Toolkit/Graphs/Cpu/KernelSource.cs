namespace Toolkit.Graphs.Cpu;

/// <summary>The C# of a kernel, with the nodes that it computes as comments.</summary>
/// <param name="Name">Name of the method.</param>
/// <param name="Text">The method.</param>
public sealed record KernelSource(string Name, string Text)
{
    /// <summary>The text.</summary>
    public override string ToString() => Text;
}
