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

    /// <summary>A slot whose weight is not yet set to anything.</summary>
    /// <param name="inputs">Width of what comes in.</param>
    /// <param name="outputs">Width of what goes out.</param>
    /// <param name="bias">Whether there is a bias.</param>
    /// <param name="dtype">Type of weight and bias.</param>
    /// <param name="transposed">Whether the weight is stored as (inputs, outputs), which GPT-2's files do.</param>
    public Linear(long inputs, long outputs, bool bias = false, ScalarType dtype = ScalarType.Float32, bool transposed = false)
        : base(nameof(Linear))
    {
        Inputs = inputs;
        Outputs = outputs;
        IsTransposed = transposed;
        _weight = new Parameter(empty(transposed ? [inputs, outputs] : [outputs, inputs], dtype));
        _bias = bias ? new Parameter(empty([outputs], dtype)) : null;
        RegisterComponents();
    }

    /// <summary>Width of what comes in.</summary>
    public long Inputs { get; }

    /// <summary>Width of what goes out.</summary>
    public long Outputs { get; }

    /// <summary>Whether the stored parameter is the transpose of <see cref="Weight"/>.</summary>
    public bool IsTransposed { get; }

    /// <summary>The matrix, (outputs, inputs): the parameter, or a view of it where that is stored the other way.</summary>
    public Tensor Weight => IsTransposed ? _weight.t() : _weight;

    /// <summary>The bias, (outputs), or null.</summary>
    public Tensor? Bias => _bias;

    /// <summary>Bytes that one pass must read.</summary>
    public virtual long WeightBytes => (_weight.numel() * _weight.ElementSize) + (_bias is null ? 0 : _bias.numel() * _bias.ElementSize);

    /// <summary>(..., inputs) to (..., outputs).</summary>
    public override Tensor forward(Tensor input) => nn.functional.linear(input, Weight, _bias);
}
