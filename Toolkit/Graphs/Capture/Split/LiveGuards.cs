using System.Linq.Expressions;
using System.Reflection;
using TorchSharp;

namespace Toolkit.Graphs.Capture;

/// <summary>A number of TorchSharp.</summary>
internal sealed record ScalarGuard(AccessPath Path, object Expected) : Guard(Path)
{
    public override Expression Condition(Expression value) => Expression.Call(Expression.Constant(this), nameof(Holds), null, Expression.Convert(value, typeof(object)));

    public override bool Holds(object? value) => value is Scalar scalar && Expected.Equals(NumberOf(scalar));

    /// <summary>The number.</summary>
    public static object NumberOf(Scalar scalar)
    {
        object number = scalar.Type switch
        {
            torch.ScalarType.Bool => scalar.ToBoolean(),
            torch.ScalarType.Float64 or torch.ScalarType.Float32 or torch.ScalarType.Float16 or torch.ScalarType.BFloat16 => scalar.ToDouble(),
            torch.ScalarType.ComplexFloat32 or torch.ScalarType.ComplexFloat64 => scalar.ToComplexFloat64(),
            _ => scalar.ToInt64(),
        };
        GC.KeepAlive(scalar);
        return number;
    }

    public override string ToString() => $"{Path} is {Expected}";
}

/// <summary>A delegate of a method.</summary>
internal sealed record MethodGuard(AccessPath Path, MethodInfo Expected) : Guard(Path)
{
    public override Expression Condition(Expression value) => Expression.Call(Expression.Constant(this), nameof(Holds), null, Expression.Convert(value, typeof(object)));

    public override bool Holds(object? value) => value is Delegate function && function.Method == Expected && function.HasSingleTarget;

    public override string ToString() => $"{Path} calls {Expected.Name}";
}
