using System.Linq.Expressions;
using Toolkit.Graphs.Dispatch;

namespace Toolkit.Graphs.Capture;

/// <summary>A module of native code holds the tensors that it held.</summary>
internal sealed record NativeParametersGuard(NativeParameters Parameters) : Guard(AccessPath.Object(Parameters.Module))
{
    public override Expression Condition(Expression value) => Expression.Call(Expression.Constant(Parameters), nameof(NativeParameters.Holds), null);

    public override bool Holds(object? value) => Parameters.Holds();

    public override string ToString() => $"{Path} holds the same {Parameters.All.Count} tensors";
}
