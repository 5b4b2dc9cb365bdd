namespace Toolkit.Graphs.Cpu;

/// <summary>A node that no kernel computes: it is run through TorchSharp.</summary>
/// <param name="Node">The node.</param>
/// <param name="Count">How many times it has run.</param>
public sealed record FallbackCall(Node Node, long Count);
