using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <content>Tensors from numbers. They are written only where their sizes are known no sooner than the model runs; else they are constants.</content>
internal static partial class OnnxRules
{
    private static void Factories(Dictionary<string, Func<OnnxCall, string[]>> rules)
    {
        void One(string name, Func<OnnxCall, string> rule) => rules["aten::" + name] = c => [rule(c)];
        string Everywhere(OnnxCall c, string number) => c.Add("Expand", [number, c.Ints(c.Shape.ToArray())]);
        foreach (var (name, value) in new[]
        {
            ("zeros", 0.0), ("zeros_like", 0), ("new_zeros", 0), ("ones", 1), ("ones_like", 1), ("new_ones", 1), ("empty.memory_format", 0), ("empty_like", 0), ("new_empty", 0),
        })
        {
            One(name, c => Everywhere(c, c.Number(value)));
        }

        foreach (var name in new[] { "full", "full_like", "new_full" })
        {
            One(name, c => Everywhere(c, c.Number(c.Call.Number("fill_value"))));
        }

        One("arange", c => c.Add("Range", [c.Number(0), c.Number(c.Call.Number("end")), c.Number(1)]));
        One("arange.start", c => c.Add("Range", [c.Number(c.Call.Number("start")), c.Number(c.Call.Number("end")), c.Number(1)]));
        One("arange.start_step", c => c.Add("Range", [c.Number(c.Call.Number("start")), c.Number(c.Call.Number("end")), c.Number(c.Call.Number("step"))]));
        foreach (var name in new[] { "eye", "eye.m" })
        {
            One(name, c => c.Cast(c.Add("Equal", [c.Add("Unsqueeze", [c.Range(c.Shape[0]), c.Ints(-1)]), c.Range(c.Shape[1])]), ScalarType.Bool, c.Type.DType));
        }

        One("linspace", c =>
        {
            // From both ends, as libtorch does: the last number is exact. One number alone is the first.
            var (start, end, last) = (c.Call.Number("start"), c.Call.Number("end"), c.Number(c.Shape[0] - 1));
            var places = c.Cast(c.Range(c.Shape[0]), ScalarType.Int64, c.Type.DType);
            var step = c.Over(c.Number(end - start), c.Add("Max", [last, c.Number(1)]));
            var front = c.Plus(c.Number(start), c.Times(places, step));
            var back = c.Minus(c.Number(end), c.Times(c.Minus(last, places), step));
            return c.Where(c.Add("Or", [c.Add("Less", [c.Plus(places, places), last]), c.Add("Equal", [places, c.Number(0)])]), front, back);
        });
    }
}
