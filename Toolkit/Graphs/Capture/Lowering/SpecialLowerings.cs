using System.Collections.Frozen;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>Methods whose operators depend on what they are given.</summary>
internal static class SpecialLowerings
{
    private static readonly FrozenDictionary<string, Func<LeafCall, IReadOnlyList<Value>?>> _all = new Dictionary<string, Func<LeafCall, IReadOnlyList<Value>?>>
    {
        ["Tensor.div(Tensor,RoundingMode)"] = call => Divide(call, "Tensor"),
        ["Tensor.div(Scalar,RoundingMode)"] = call => Divide(call, "Scalar"),
        ["Tensor.div_(Tensor,RoundingMode)"] = call => Divide(call, "Tensor", "_"),
        ["Tensor.div_(Scalar,RoundingMode)"] = call => Divide(call, "Scalar", "_"),
        ["Tensor.zeros(long[])"] = call => Filled(call, "aten::zero_"), // what zero_ calls: it fills the tensor itself
        ["Tensor.ones(long[])"] = call => Filled(call, "aten::fill_.Scalar", 1L),
        ["Tensor.log_sigmoid()"] = call => [call.Add("aten::neg", call.Add("aten::softplus", call.Add("aten::neg", call.Value(call.Self))))],
        ["Tensor.round(long)"] = call => [call.Arguments[0] is long digits and not 0L ? call.Add("aten::round.decimals", call.Value(call.Self), digits) : call.Add("aten::round", call.Value(call.Self))],
        ["Tensor.squeeze(long?)"] = call => [Squeezed(call)],
        ["Tensor.squeeze_(long?)"] = call => Becomes(call, () => Squeezed(call)),
        ["Tensor.unsqueeze_(long)"] = call => Becomes(call, () => call.Add("aten::unsqueeze", call.Value(call.Self), (long)call.Arguments[0]!)),
        ["Tensor.transpose_(long,long)"] = call => Becomes(call, () => call.Add("aten::transpose.int", call.Value(call.Self), (long)call.Arguments[0]!, (long)call.Arguments[1]!)),
        ["Tensor.detach_()"] = call => Becomes(call, () => call.Add("aten::detach", call.Value(call.Self))),
        ["Tensor.std(bool)"] = call => Spread(call, "std", null),
        ["Tensor.var(bool)"] = call => Spread(call, "var", null),
        ["Tensor._std(ReadOnlySpan<long>,bool,bool,ScalarType?)"] = call => Spread(call, "std", ArgumentOf.Integers(call.Arguments[0])),
        ["Tensor._var(ReadOnlySpan<long>,bool,bool,ScalarType?)"] = call => Spread(call, "var", ArgumentOf.Integers(call.Arguments[0])),
        ["Tensor.to(ScalarType,Device,bool,bool,bool)"] = Convert,
        ["Tensor.to_type(ScalarType,bool,bool,bool)"] = Convert,
        ["Tensor.to(DeviceType,int,bool,bool,bool)"] = Convert,
        ["Tensor.cpu()"] = Convert,
        ["functional.dropout(Tensor,double,bool,bool)"] = call =>
            call.Arguments[1] is not double p ? null
                : call.Arguments[2] is not true ? [call.Add("aten::alias", call.Value(call.Arguments[0]))] // it gives back what it is given
                : call.Arguments[3] is true ? null : [call.Add("aten::dropout", call.Value(call.Arguments[0]), p, true)],
        ["functional.batch_norm(Tensor,Tensor,Tensor,Tensor,Tensor,bool,double,double)"] = BatchNorm,
        ["functional.normalize(Tensor,double,long,double)"] = call => call.Value(call.Arguments[0]) is var x && call.Arguments is [_, double p, long dim, double epsilon]
            ? [call.Add("aten::div.Tensor", x, call.Add("aten::clamp_min", call.Add("aten::linalg_vector_norm", x, p, new long[] { dim }, true), epsilon))] : null,
        ["functional.max_pool1d(Tensor,long,long?,long?,long?,bool)"] = MaxPool1d,
        ["functional.pad(Tensor,long[],PaddingModes,double)"] = Pad,
        ["functional.pad(Tensor,ReadOnlySpan<long>,PaddingModes,double)"] = Pad,
        ["Embedding.forward(Tensor)"] = Embedding,
        ["LSTMCell.forward(Tensor,ValueTuple<Tensor;Tensor>?)"] = CellLowering.LongShortTermMemory,
        ["GRUCell.forward(Tensor,Tensor)"] = CellLowering.GatedRecurrent,
        ["Tensor.index(TensorIndex[])"] = IndexLowering.Read,
        ["Tensor.index_put_(Tensor,TensorIndex[])"] = call => IndexLowering.Write(call, false),
        ["Tensor.index_put_(Tensor,TensorIndex[],bool)"] = call => IndexLowering.Write(call, call.Arguments[2] is true),
        ["Tensor.index_put_(Scalar,TensorIndex[])"] = IndexLowering.Fill,
    }.ToFrozenDictionary();

    /// <summary>The function for a method; null where there is none.</summary>
    public static Func<LeafCall, IReadOnlyList<Value>?>? Find(string key) => _all.GetValueOrDefault(key)
        ?? (key.StartsWith("torch._tensor_generic(", StringComparison.Ordinal) ? Literal
            : key.StartsWith("Tensor.get_TensorItems(long", StringComparison.Ordinal) ? IndexLowering.Element
            : key.StartsWith("Tensor.set_TensorItems(long", StringComparison.Ordinal) ? IndexLowering.SetElement : null);

    private static Value Squeezed(LeafCall call) =>
        call.Arguments[0] is long dim ? call.Add("aten::squeeze.dim", call.Value(call.Self), dim) : call.Add("aten::squeeze", call.Value(call.Self));

    /// <summary>A tensor that becomes a view of what it was: its values stay where they are. One from outside, or that another handle leads to, changes for others too.</summary>
    private static IReadOnlyList<Value>? Becomes(LeafCall call, Func<Value> view) => call.IsOwn((Tensor)call.Self!) ? [view()] : null;

    private static IReadOnlyList<Value>? Filled(LeafCall call, string name, params ReadOnlySpan<Argument> number)
    {
        var self = call.Value(call.Self);
        return ArgumentOf.Integers(call.Arguments[0]) is { } sizes && self.Type.Shape == Shape.Create(sizes) ? [call.Add(name, [self, .. number])] : null;
    }

    private static IReadOnlyList<Value>? Divide(LeafCall call, string other, string inPlace = "")
    {
        var divisor = call.Arguments[0] is Tensor tensor ? call.Value(tensor) : ArgumentOf.Number(call.Arguments[0]!);
        var mode = (RoundingMode)call.Arguments[1]!;
        return divisor is null ? null
            : mode == RoundingMode.None ? [call.Add($"aten::div{inPlace}.{other}", call.Value(call.Self), divisor)]
            : [call.Add($"aten::div{inPlace}.{other}_mode", call.Value(call.Self), divisor, mode.ToString())];
    }

    private static IReadOnlyList<Value>? Spread(LeafCall call, string name, long[]? dimensions)
    {
        // Of all values, TorchSharp's variance is the unbiased one whatever is asked for.
        var unbiased = call.Arguments[dimensions is null ? 0 : 1] is true || (name == "var" && dimensions is null);
        var keep = dimensions is not null && call.Arguments[2] is true;
        return dimensions is not null && call.Arguments[3] is not null ? null
            : [call.Add($"aten::{name}.correction", call.Value(call.Self), dimensions is null ? NoArgument.Instance : (Argument)dimensions, unbiased ? 1L : 0L, keep)];
    }

    private static IReadOnlyList<Value>? Convert(LeafCall call)
    {
        var parameters = call.Method.GetParameters();
        bool Asks(string name) => Array.FindIndex(parameters, parameter => parameter.Name == name) is >= 0 and var i && call.Arguments[i] is true;
        if (Asks("disposeAfter"))
        {
            return null;
        }

        var type = TensorType.Of(call.Results[0]);
        var self = call.Value(call.Self);
        return type.Device == self.Type.Device
            ? [call.Add("aten::to.dtype", self, type.DType, false, Asks("copy"))]
            : [call.Add("aten::to.device", self, new DeviceArgument(type.Device), type.DType, false, Asks("copy"))];
    }

    private static IReadOnlyList<Value>? BatchNorm(LeafCall call)
    {
        var (mean, variance, isTraining) = (call.Arguments[1], call.Arguments[2], call.Arguments[5] is true);
        Argument Optional(int i) => call.Arguments[i] is Tensor tensor ? call.Value(tensor) : NoArgument.Instance;
        var (momentum, epsilon) = ((double)call.Arguments[6]!, (double)call.Arguments[7]!);
        if (isTraining && mean is not null && variance is not null)
        {
            var op = Operators.Get("aten::_native_batch_norm_legit");
            return [call.Add(op, [call.Value(call.Arguments[0]), Optional(3), Optional(4), call.Value(mean), call.Value(variance), true, momentum, epsilon]).Outputs[0]];
        }

        return [call.Add("aten::batch_norm", call.Value(call.Arguments[0]), Optional(3), Optional(4), Optional(1), Optional(2), isTraining, momentum, epsilon, false)];
    }

    /// <summary>In two dimensions, of which the first is one row high.</summary>
    private static IReadOnlyList<Value>? MaxPool1d(LeafCall call)
    {
        var size = (long)call.Arguments[1]!;
        long Or(int i, long other) => call.Arguments[i] is long number ? number : other;
        var pooled = call.Add(
            "aten::max_pool2d", call.Add("aten::unsqueeze", call.Value(call.Arguments[0]), -2L), new long[] { 1, size }, new long[] { 1, Or(2, size) }, new long[] { 0, Or(3, 0) }, new long[] { 1, Or(4, 1) },
            call.Arguments[5] is true);
        return [call.Add("aten::squeeze.dim", pooled, -2L)];
    }

    private static IReadOnlyList<Value>? Pad(LeafCall call) => (PaddingModes)call.Arguments[2]! == PaddingModes.Constant && ArgumentOf.Integers(call.Arguments[1]) is { } pad
        ? [call.Add("aten::constant_pad_nd", call.Value(call.Arguments[0]), pad, (double)call.Arguments[3]!)]
        : null;

    /// <summary>Values that the program wrote down: the same at each call, in a new tensor.</summary>
    private static IReadOnlyList<Value>? Literal(LeafCall call)
    {
        using var still = no_grad();
        return [call.Add("aten::clone", call.Constant(call.Results[0].clone().DetachFromDisposeScope()))];
    }

    /// <summary>Where gradients are recorded the module's own call stays: what its padding index does to them is known to it alone.</summary>
    private static IReadOnlyList<Value>? Embedding(LeafCall call) => call.RequiresGrad || call.Self is not TorchSharp.Modules.Embedding module || EmbeddingProbe.Renormalises(module)
        ? null
        : [call.Add("aten::embedding", call.WeightOf(module), call.Value(call.Arguments[0]))];
}
