namespace Toolkit.Graphs.Cpu;

internal static partial class Lowerings
{
    private static IEnumerable<KeyValuePair<string, Lowering>> Comparisons()
    {
        foreach (var (name, function) in new[] { ("eq", "Eq"), ("ne", "Ne"), ("lt", "Lt"), ("le", "Le"), ("gt", "Gt"), ("ge", "Ge") })
        {
            yield return Entry($"aten::{name}.Tensor", (b, n) => Compare(b, function));
            yield return Entry($"aten::{name}.Scalar", (b, n) => Compare(b, function));
        }

        foreach (var (name, template) in new[] { ("logical_and", "({0} & {1})"), ("logical_or", "({0} | {1})"), ("logical_xor", "Xor({0}, {1})") })
        {
            yield return Entry($"aten::{name}", (b, n) => b.Apply(template, NumberKind.Boolean, b.Argument("self", NumberKind.Boolean), b.Argument("other", NumberKind.Boolean)));
        }

        foreach (var (name, template) in new[] { ("bitwise_and", "({0} & {1})"), ("bitwise_or", "({0} | {1})"), ("bitwise_xor", "({0} ^ {1})") })
        {
            yield return Binary($"aten::{name}.Tensor", template, node => OutputKind(node) is NumberKind.Boolean or NumberKind.Integer);
        }

        yield return Entry("aten::logical_not", (b, n) => b.Apply("Not({0})", NumberKind.Boolean, b.Argument("self", NumberKind.Boolean)));
        yield return Entry("aten::bitwise_not", (b, n) => b.Apply(OutputKind(n) == NumberKind.Boolean ? "Not({0})" : "(~{0})", OutputKind(n), b.Argument("self", OutputKind(n))),
            node => OutputKind(node) is NumberKind.Boolean or NumberKind.Integer);
        foreach (var overload in new[] { "self", "ScalarSelf", "ScalarOther", "Scalar" })
        {
            yield return Entry($"aten::where.{overload}", (b, n) => Choose(b, b.Argument("condition", NumberKind.Boolean), b.Argument("self", OutputKind(n)), b.Argument("other", OutputKind(n))));
        }

        foreach (var overload in new[] { "Scalar", "Tensor" })
        {
            yield return Entry($"aten::masked_fill.{overload}", (b, n) => Choose(b, b.Argument("mask", NumberKind.Boolean), b.Argument("value", OutputKind(n)), b.Argument("self", OutputKind(n))));
        }
    }

    private static Expression Compare(LoopBuilder b, string function)
    {
        var kind = NumberKinds.Promote(b.Kind("self"), b.Kind("other"));

        // Masks are no numbers: true is compared as 1.
        kind = kind == NumberKind.Boolean ? NumberKind.Float : kind;
        return b.Apply($"{function}({{0}}, {{1}})", NumberKind.Boolean, b.Argument("self", kind), b.Argument("other", kind));
    }

    private static Expression Choose(LoopBuilder b, Expression condition, Expression yes, Expression no) => b.Apply("Select({0}, {1}, {2})", yes.Kind, condition, yes, no);
}
