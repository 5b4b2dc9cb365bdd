using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>Root mean square normalisation with its learned scale.</summary>
public sealed class RmsNormLayer : Norm
{
    [ComponentName(Name = "weight")]
    private readonly Parameter _weight;

    private readonly double _epsilon;
    private readonly bool _fromOne;

    /// <summary>A norm over <paramref name="width"/> values whose scale is one everywhere.</summary>
    /// <param name="width">D.</param>
    /// <param name="epsilon">ε.</param>
    /// <param name="dtype">Type of the scale.</param>
    /// <param name="fromOne">Whether the stored scale is what is added to one.</param>
    public RmsNormLayer(long width, double epsilon, ScalarType dtype = ScalarType.Float32, bool fromOne = false)
        : base(nameof(RmsNormLayer))
    {
        _weight = new Parameter(fromOne ? zeros([width], dtype) : ones([width], dtype));
        _epsilon = epsilon;
        _fromOne = fromOne;
        RegisterComponents();
    }

    /// <inheritdoc/>
    public override Tensor Weight => _weight;

    /// <summary>(..., D) to (..., D).</summary>
    public override Tensor forward(Tensor input)
    {
        if (!_fromOne)
        {
            return Ops.RmsNorm.Apply(input, _weight, _epsilon);
        }

        if (input.dtype == ScalarType.Float32)
        {
            return Ops.RmsNorm.Apply(input, _weight.add(Ops.Scalars.One, Ops.Scalars.One), _epsilon);
        }

        // Gemma multiplies before it narrows: 1 + w in bfloat16 would lose most of w.
        var scale = _weight.to(ScalarType.Float32).add(Ops.Scalars.One, Ops.Scalars.One);
        return Ops.RmsNorm.Apply(input.to(ScalarType.Float32), scale, _epsilon).to(input.dtype);
    }
}
