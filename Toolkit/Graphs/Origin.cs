namespace Toolkit.Graphs;

/// <summary>Where an operation comes from in the user's program.</summary>
/// <param name="Module">Path of the module whose forward called it, as in <c>layers.0.attention</c>; empty for the captured module itself.</param>
/// <param name="Method">Type and method, as in <c>Block.forward</c>.</param>
/// <param name="File">Source file, where debugging information names it.</param>
/// <param name="Line">Line of it; 0 where unknown.</param>
public sealed record Origin(string Module, string Method, string? File = null, int Line = 0)
{
    /// <summary>What no line of a program asked for.</summary>
    public static readonly Origin None = new("", "");

    /// <summary>As in <c>layers.0 Block.forward Model.cs:12</c>.</summary>
    public override string ToString() =>
        string.Join(' ', new[] { Module, Method, File is null ? "" : $"{Path.GetFileName(File)}:{Line}" }.Where(part => part != ""));
}
