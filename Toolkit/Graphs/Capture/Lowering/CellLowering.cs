using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>Recurrent cells, which TorchSharp calls whole: two products and what follows them. Where gradients are recorded the call stays a call.</summary>
internal static class CellLowering
{
    /// <summary>Long short-term memory (Hochreiter and Schmidhuber, 1997): h' and c'.</summary>
    public static IReadOnlyList<Value>? LongShortTermMemory(LeafCall call)
    {
        if (call.RequiresGrad || call.Self is not LSTMCell cell || call.Arguments[1] is not ValueTuple<Tensor, Tensor>(var hidden, var memory) || hidden is null || memory is null)
        {
            return null;
        }

        var (x, h, c) = (call.Value(call.Arguments[0]), call.Value(hidden), call.Value(memory));
        if (Product(call, cell, x, "ih") is not { } fromInput || Product(call, cell, h, "hh") is not { } fromHidden)
        {
            return null;
        }

        var gates = call.Add("aten::add.Tensor", fromInput, fromHidden);
        Value Gate(int i, string function) => call.Add(function, Part(call, gates, i, 4));
        var kept = call.Add("aten::mul.Tensor", Gate(1, "aten::sigmoid"), c);
        var added = call.Add("aten::mul.Tensor", Gate(0, "aten::sigmoid"), Gate(2, "aten::tanh"));
        var next = call.Add("aten::add.Tensor", kept, added);
        return [call.Add("aten::mul.Tensor", Gate(3, "aten::sigmoid"), call.Add("aten::tanh", next)), next];
    }

    /// <summary>Gated recurrent unit (Cho et al., 2014): h'.</summary>
    public static IReadOnlyList<Value>? GatedRecurrent(LeafCall call)
    {
        if (call.RequiresGrad || call.Self is not GRUCell cell || call.Arguments[1] is not Tensor hidden)
        {
            return null;
        }

        var (x, h) = (call.Value(call.Arguments[0]), call.Value(hidden));
        if (Product(call, cell, x, "ih") is not { } fromInput || Product(call, cell, h, "hh") is not { } fromHidden)
        {
            return null;
        }

        Value Gate(int i) => call.Add("aten::sigmoid", call.Add("aten::add.Tensor", Part(call, fromInput, i, 3), Part(call, fromHidden, i, 3)));
        var fresh = call.Add("aten::tanh", call.Add("aten::add.Tensor", Part(call, fromInput, 2, 3), call.Add("aten::mul.Tensor", Gate(0), Part(call, fromHidden, 2, 3))));
        return [call.Add("aten::add.Tensor", call.Add("aten::mul.Tensor", call.Add("aten::sub.Tensor", h, fresh), Gate(1)), fresh)];
    }

    private static Value? Product(LeafCall call, nn.Module cell, Value x, string of) => call.ParameterOf(cell, "weight_" + of) is { } weight
        ? call.ParameterOf(cell, "bias_" + of) is { } bias ? call.Add("aten::linear", x, weight, bias) : call.Add("aten::linear", x, weight)
        : null;

    private static Value Part(LeafCall call, Value gates, int i, int count)
    {
        var width = gates.Type.Shape[^1] / count;
        return call.Add("aten::narrow", gates, -1L, i * width, width);
    }
}
