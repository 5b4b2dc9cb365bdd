using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>Root mean square normalisation with its learned scale.</summary>
public sealed class RmsNormLayer : nn.Module<Tensor, Tensor>
{
    [ComponentName(Name = "weight")]
    private readonly Parameter _weight;

    private readonly double _epsilon;

    /// <summary>A norm over <paramref name="width"/> values, its scale all ones.</summary>
    public RmsNormLayer(long width, double epsilon, ScalarType dtype = ScalarType.Float32)
        : base(nameof(RmsNormLayer))
    {
        _weight = new Parameter(ones([width], dtype));
        _epsilon = epsilon;
        RegisterComponents();
    }

    /// <summary>The scale, (D).</summary>
    public Tensor Weight => _weight;

    /// <summary>(..., D) to (..., D).</summary>
    public override Tensor forward(Tensor input) => Ops.RmsNorm.Apply(input, _weight, _epsilon);
}
