using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>The weight slot: every matrix product of a model goes through one. Other kinds of weight (quantized, adapted, sharded) derive from it.</summary>
public class Linear : nn.Module<Tensor, Tensor>
{
    [ComponentName(Name = "weight")]
    private readonly Parameter _weight;

    [ComponentName(Name = "bias")]
    private readonly Parameter? _bias;

    /// <summary>A slot whose weight (out, in) is not yet set to anything.</summary>
    public Linear(long inputs, long outputs, bool bias = false, ScalarType dtype = ScalarType.Float32)
        : base(nameof(Linear))
    {
        Inputs = inputs;
        Outputs = outputs;
        _weight = new Parameter(empty([outputs, inputs], dtype));
        _bias = bias ? new Parameter(empty([outputs], dtype)) : null;
        RegisterComponents();
    }

    /// <summary>Width of what comes in.</summary>
    public long Inputs { get; }

    /// <summary>Width of what goes out.</summary>
    public long Outputs { get; }

    /// <summary>The matrix, (outputs, inputs).</summary>
    public Tensor Weight => _weight;

    /// <summary>The bias, (outputs), or null.</summary>
    public Tensor? Bias => _bias;

    /// <summary>Bytes that one pass must read.</summary>
    public virtual long WeightBytes => (_weight.numel() * _weight.ElementSize) + (_bias is null ? 0 : _bias.numel() * _bias.ElementSize);

    /// <summary>(..., inputs) to (..., outputs).</summary>
    public override Tensor forward(Tensor input) => nn.functional.linear(input, _weight, _bias);
}
