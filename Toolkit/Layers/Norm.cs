using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>A normalisation over the last dimension, with its learned scale.</summary>
public abstract class Norm(string name) : nn.Module<Tensor, Tensor>(name)
{
    /// <summary>The stored scale, (D).</summary>
    public abstract Tensor Weight { get; }

    /// <summary>The learned shift, (D), or null.</summary>
    public virtual Tensor? Bias => null;

    /// <summary>A norm over <paramref name="width"/> values that leaves the normalised values as they are.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such norm.</exception>
    public static Norm Create(NormKind kind, long width, double epsilon, ScalarType dtype) => kind switch
    {
        NormKind.RootMeanSquare => new RmsNormLayer(width, epsilon, dtype),
        NormKind.RootMeanSquareFromOne => new RmsNormLayer(width, epsilon, dtype, fromOne: true),
        NormKind.LayerNorm => new LayerNormLayer(width, epsilon, dtype),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), $"there is no norm {kind}"),
    };
}

/// <summary>Which normalisation a model uses.</summary>
public enum NormKind
{
    /// <summary>By the root of the mean square (Zhang and Sennrich, 2019).</summary>
    RootMeanSquare,

    /// <summary>The same, where the stored scale is what is added to one (Gemma).</summary>
    RootMeanSquareFromOne,

    /// <summary>By mean and deviation, with a shift (Ba et al., 2016).</summary>
    LayerNorm,
}
