using static TorchSharp.torch;

namespace Toolkit.Graphs.Cpu;

/// <summary>
/// How the weights of a matrix-vector product lie in memory, and how they become vectors of floats in a kernel: the place where other forms of weights go, such as quantized ones. A
/// form takes <see cref="Step"/> weights at a time and may give them in any order, if it gives the values that they are multiplied with in the same.
/// </summary>
internal abstract class WeightForm
{
    private static readonly Dictionary<ScalarType, WeightForm> _all = new() { [ScalarType.Float32] = new FloatWeights(), [ScalarType.BFloat16] = new BFloat16Weights() };

    /// <summary>Type of the weights in memory, in C#.</summary>
    public abstract string Memory { get; }

    /// <summary>Bytes that one weight takes.</summary>
    public abstract double Bytes { get; }

    /// <summary>The form of weights of a type; null where there is none.</summary>
    public static WeightForm? Of(ScalarType type) => _all.GetValueOrDefault(type);

    /// <summary>Weights that are read at a time.</summary>
    /// <param name="width">Lanes of a vector.</param>
    /// <param name="isSmall">Whether registers are scarce: many sums are computed together.</param>
    public abstract int Step(int width, bool isSmall);

    /// <summary>Declares the vectors of <see cref="Step"/> weights.</summary>
    /// <param name="code">Where to.</param>
    /// <param name="name">What the first vector is called; further ones have one underscore more each.</param>
    /// <param name="pointer">Where the weights lie.</param>
    /// <param name="width">Lanes of a vector.</param>
    /// <param name="step">As <see cref="Step"/> said.</param>
    public abstract void Weights(CodeWriter code, string name, string pointer, int width, int step);

    /// <summary>Declares the vectors of values that they are multiplied with, in the order of the weights.</summary>
    /// <inheritdoc cref="Weights"/>
    public abstract void Values(CodeWriter code, string name, string pointer, int width, int step);
}

/// <summary>float32.</summary>
internal sealed class FloatWeights : WeightForm
{
    /// <inheritdoc/>
    public override string Memory => "float";

    /// <inheritdoc/>
    public override double Bytes => sizeof(float);

    /// <inheritdoc/>
    public override int Step(int width, bool isSmall) => isSmall ? width : 2 * width;

    /// <inheritdoc/>
    public override void Weights(CodeWriter code, string name, string pointer, int width, int step) =>
        code.Line(step > width ? $"VF {name} = V.Load({pointer}), {name}_ = V.Load({pointer} + {width});" : $"var {name} = V.Load({pointer});");

    /// <inheritdoc/>
    public override void Values(CodeWriter code, string name, string pointer, int width, int step) => Weights(code, name, pointer, width, step);
}

/// <summary>bfloat16, times bfloat16. Two in one lane are taken apart where they are, even ones first: that is the same order for both factors.</summary>
internal sealed class BFloat16Weights : WeightForm
{
    /// <inheritdoc/>
    public override string Memory => "ushort";

    /// <inheritdoc/>
    public override double Bytes => sizeof(ushort);

    /// <inheritdoc/>
    public override int Step(int width, bool isSmall) => 2 * width;

    /// <inheritdoc/>
    public override void Weights(CodeWriter code, string name, string pointer, int width, int step)
    {
        code.Line($"var {name}i = V.Load((int*)({pointer}));");
        code.Line($"VF {name} = V.ShiftLeft({name}i, 16).AsSingle(), {name}_ = ({name}i & V.Create(-65536)).AsSingle();");
    }

    /// <inheritdoc/>
    public override void Values(CodeWriter code, string name, string pointer, int width, int step) => Weights(code, name, pointer, width, step);
}
