namespace Toolkit.Graphs.Cpu;

internal static partial class Lowerings
{
    private static IEnumerable<KeyValuePair<string, Lowering>> Copies()
    {
        foreach (var name in new[] { "aten::clone", "aten::contiguous", "aten::detach", "aten::alias" })
        {
            yield return Entry(name, (b, n) => b.Argument("self", OutputKind(n)));
        }

        // What a program converts it wants rounded, also where the kernel goes on with the value in single precision.
        foreach (var name in new[] { "aten::_to_copy", "aten::to.dtype" })
        {
            yield return Entry(name, (b, n) => n.Output.Type.DType == n.Inputs.First().Type.DType ? b.Argument("self", OutputKind(n)) : b.Round(b.Argument("self", OutputKind(n)), n.Output.Type.DType));
        }

        // Other views are layouts; inside a loop only those that add or take extents of 1 can be.
        foreach (var name in new[] { "aten::view", "aten::reshape", "aten::_unsafe_view", "aten::unsqueeze", "aten::squeeze", "aten::squeeze.dim", "aten::squeeze.dims" })
        {
            yield return Entry(name, Identity, node => LoopDomain.Canonical(node.Inputs.First().Type.Shape) == LoopDomain.Canonical(node.Output.Type.Shape));
        }

        yield return Entry("aten::expand", (b, n) => b.Argument("self", OutputKind(n)), _ => false);
        yield return Entry("aten::full", (b, n) => b.Argument("fill_value", OutputKind(n)));
        yield return Entry("aten::full_like", (b, n) => b.Argument("fill_value", OutputKind(n)));
        foreach (var (name, number) in new[] { ("zeros", 0.0), ("ones", 1.0), ("zeros_like", 0.0), ("ones_like", 1.0) })
        {
            yield return Entry($"aten::{name}", (b, n) => b.Constant(number, OutputKind(n)));
        }
    }

    private static Expression Identity(LoopBuilder b, Node node) => b.Reshaped(node.Inputs.First());
}
