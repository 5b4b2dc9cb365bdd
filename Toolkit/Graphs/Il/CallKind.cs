namespace Toolkit.Graphs.Il;

/// <summary>What happens to a call.</summary>
internal enum CallKind
{
    /// <summary>It is run by .NET.</summary>
    Native,

    /// <summary>Its body is interpreted.</summary>
    Interpret,

    /// <summary>It is run by .NET, and the observer sees arguments and result.</summary>
    Leaf,
}
