using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>Copies: to another type, device or order in memory, and into another tensor.</summary>
internal static class LayoutOperators
{
    /// <summary>Adds them.</summary>
    public static void Register()
    {
        Definition.One("aten::clone(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor", OperatorKind.Pointwise, call => call.Type("self"), e => e["self"].clone());
        Definition.One("aten::contiguous(Tensor(a) self, *, MemoryFormat memory_format=contiguous_format) -> Tensor(a)", OperatorKind.View, call => call.Type("self"), e => e["self"].contiguous());
        Definition.One(
            "aten::_to_copy(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, bool non_blocking=False, MemoryFormat? memory_format=None) -> Tensor",
            OperatorKind.Pointwise,
            Target,
            e => To(e, true));
        Definition.One(
            "aten::to.dtype(Tensor(a) self, ScalarType dtype, bool non_blocking=False, bool copy=False, MemoryFormat? memory_format=None) -> Tensor(a)",
            OperatorKind.Pointwise,
            Target,
            e => To(e, e.Flag("copy")));
        Definition.One(
            "aten::to.device(Tensor(a) self, Device device, ScalarType dtype, bool non_blocking=False, bool copy=False, MemoryFormat? memory_format=None) -> Tensor(a)",
            OperatorKind.Pointwise,
            Target,
            e => To(e, e.Flag("copy")));
        Definition.One(
            "aten::copy_(Tensor(a!) self, Tensor src, bool non_blocking=False) -> Tensor(a!)",
            OperatorKind.Pointwise,
            Copied,
            e => e["self"].copy_(e["src"]));

        // What copy_ leaves in its target, as a value: the source in the target's shape and type.
        Definition.One(
            "aten::copy(Tensor self, Tensor src, bool non_blocking=False) -> Tensor",
            OperatorKind.Pointwise,
            Copied,
            e => e["src"].to(e["self"].dtype).to(e["self"].device).expand(e["self"].shape).clone());
    }

    private static TensorType Copied(OperatorCall call)
    {
        var (self, source) = (call.Type("self"), call.Type("src"));
        Inference.Require(Shape.Broadcast(self.Shape, source.Shape) == self.Shape, call, "the source does not fit into the target");
        return self;
    }

    private static TensorType Target(OperatorCall call) => new(
        call.DataType("dtype") ?? call.Type("self").DType,
        call.Type("self").Shape,
        (call.Operator.Parameters.Any(parameter => parameter.Name == "device") ? call.Device("device") : null) ?? call.Type("self").Device);

    private static Tensor To(Evaluation e, bool copy)
    {
        var (type, self) = (e.Output(), e["self"]);
        return self.to(type.DType, new Device(type.Device), copy);
    }
}
