using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>
/// The type that values of several types become together, as ATen decides it: tensors with dimensions come first, then those without, then numbers;
/// a lower group matters only where its kind (bool, integer, real, complex) is a higher one.
/// </summary>
internal static class TypePromotion
{
    /// <summary>Whether a type holds real numbers.</summary>
    public static bool IsFloating(ScalarType type) => type is ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Float32 or ScalarType.Float64;

    /// <summary>Whether a type holds complex numbers.</summary>
    public static bool IsComplex(ScalarType type) => type is ScalarType.ComplexFloat32 or ScalarType.ComplexFloat64;

    /// <summary>Whether a type holds integers or truth values.</summary>
    public static bool IsIntegral(ScalarType type) => !IsFloating(type) && !IsComplex(type);

    /// <summary>What two types become.</summary>
    public static ScalarType Promote(ScalarType a, ScalarType b)
    {
        if (a == b || b == ScalarType.Bool)
        {
            return a;
        }

        if (a == ScalarType.Bool)
        {
            return b;
        }

        if (IsComplex(a) || IsComplex(b))
        {
            return a is ScalarType.ComplexFloat64 or ScalarType.Float64 || b is ScalarType.ComplexFloat64 or ScalarType.Float64
                ? ScalarType.ComplexFloat64
                : ScalarType.ComplexFloat32;
        }

        if (IsFloating(a) != IsFloating(b))
        {
            return IsFloating(a) ? a : b;
        }

        var (x, y) = (DataTypes.Size(a), DataTypes.Size(b));
        if (x == y)
        {
            // Half with bfloat16, bytes with and without a sign: neither holds the other.
            return IsFloating(a) ? ScalarType.Float32 : ScalarType.Int16;
        }

        return x > y ? a : b;
    }

    /// <summary>The type in which an operator computes, from the parameters that take part.</summary>
    public static ScalarType Of(OperatorCall call, params ReadOnlySpan<string> parameters)
    {
        ScalarType? dimensioned = null, zero = null, number = null;
        foreach (var parameter in parameters)
        {
            switch (call.Arguments[call.Operator.IndexOf(parameter)])
            {
                case ValueArgument { Value.Type: var type }:
                    ref var group = ref (type.Shape.Count == 0 ? ref zero : ref dimensioned);
                    group = group is { } before ? Promote(before, type.DType) : type.DType;
                    break;
                case ValuesArgument list:
                    foreach (var item in list.Items.OfType<Value>())
                    {
                        ref var itemGroup = ref (item.Type.Shape.Count == 0 ? ref zero : ref dimensioned);
                        itemGroup = itemGroup is { } earlier ? Promote(earlier, item.Type.DType) : item.Type.DType;
                    }

                    break;
                case FloatArgument:
                    number = ScalarType.Float32;
                    break;
                case IntegerArgument:
                    number = number == ScalarType.Float32 ? number : ScalarType.Int64;
                    break;
                case BooleanArgument:
                    number ??= ScalarType.Bool;
                    break;
            }
        }

        return Combine(dimensioned, Combine(zero, number)) ?? throw new GraphException($"{call.Operator.Name} was given neither tensors nor numbers");
    }

    /// <summary>What an operation that makes reals of integers returns.</summary>
    public static ScalarType ToFloating(ScalarType type) => IsIntegral(type) ? ScalarType.Float32 : type;

    private static ScalarType? Combine(ScalarType? higher, ScalarType? lower)
    {
        if (higher is not { } h || lower is not { } l)
        {
            return higher ?? lower;
        }

        if (IsComplex(h))
        {
            return h;
        }

        if (IsFloating(h))
        {
            return !IsComplex(l) ? h : h == ScalarType.Float64 ? ScalarType.ComplexFloat64 : ScalarType.ComplexFloat32;
        }

        return h == ScalarType.Bool || !IsIntegral(l) ? Promote(h, l) : h;
    }
}
