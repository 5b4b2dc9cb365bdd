using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>Normalisation by mean and deviation, with a learned scale and shift (Ba et al., 2016).</summary>
public sealed class LayerNormLayer : Norm
{
    [ComponentName(Name = "weight")]
    private readonly Parameter _weight;

    [ComponentName(Name = "bias")]
    private readonly Parameter _bias;

    private readonly double _epsilon;

    /// <summary>A norm over <paramref name="width"/> values, its scale one and its shift zero.</summary>
    public LayerNormLayer(long width, double epsilon, ScalarType dtype = ScalarType.Float32)
        : base(nameof(LayerNormLayer))
    {
        _weight = new Parameter(ones([width], dtype));
        _bias = new Parameter(zeros([width], dtype));
        _epsilon = epsilon;
        RegisterComponents();
    }

    /// <inheritdoc/>
    public override Tensor Weight => _weight;

    /// <inheritdoc/>
    public override Tensor Bias => _bias;

    /// <summary>(..., D) to (..., D).</summary>
    public override Tensor forward(Tensor input) => nn.functional.layer_norm(input, [_weight.shape[0]], _weight, _bias, _epsilon);
}
