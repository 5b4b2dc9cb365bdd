using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>
/// The fixed positions of the first transformer (Vaswani et al., 2017), added to the embedding: dimension 2i is the sine and 2i + 1 the cosine of
/// position / 10000^(2i/width). Nothing is learned and no length is too long.
/// </summary>
public sealed class SinusoidalPositions(int width)
{
    /// <summary>The vectors of a call's positions: (T, width), or (B, T, width) where sequences differ.</summary>
    public Tensor Rows(AttentionContext context, ScalarType dtype, Device device)
    {
        using var start = context.Start.ToScalar();
        using var end = (context.Start + context.Time).ToScalar();
        var positions = context.Positions ?? arange(start, end, Ops.Scalars.One, ScalarType.Int64, device);
        var frequencies = tensor(RotaryFrequencies.Of(width, 10000)).to(device); // (width/2)
        var angles = positions.to(ScalarType.Float32).unsqueeze(-1).mul(frequencies);
        return stack([angles.sin(), angles.cos()], -1).flatten(-2).to(dtype);
    }
}
