namespace Toolkit.Graphs.Cpu;

/// <summary>How a node becomes part of a loop.</summary>
/// <param name="Lower">Its outputs, from the arguments that the builder gives.</param>
/// <param name="Reduced">The dimensions of its (first) input that it reduces, for what is no pointwise operation.</param>
/// <param name="Fits">Whether these arguments are understood; null for always.</param>
internal sealed record Lowering(Func<LoopBuilder, Node, Expression[]> Lower, Func<Node, IEnumerable<long>>? Reduced = null, Func<Node, bool>? Fits = null);
