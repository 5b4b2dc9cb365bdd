using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>The half of an RWKV-4 block that mixes positions: a weighted mean of all values so far, let through by a receptance.</summary>
public sealed class RwkvTimeMixing : nn.Module
{
    [ComponentName(Name = "time_decay")]
    private readonly Parameter _decay;

    [ComponentName(Name = "time_first")]
    private readonly Parameter _bonus;

    [ComponentName(Name = "time_mix_key")]
    private readonly Parameter _mixKey;

    [ComponentName(Name = "time_mix_value")]
    private readonly Parameter _mixValue;

    [ComponentName(Name = "time_mix_receptance")]
    private readonly Parameter _mixReceptance;

    [ComponentName(Name = "key")]
    private readonly Linear _key;

    [ComponentName(Name = "value")]
    private readonly Linear _value;

    [ComponentName(Name = "receptance")]
    private readonly Linear _receptance;

    [ComponentName(Name = "output")]
    private readonly Linear _output;

    /// <summary>A half whose weights are not yet set to anything.</summary>
    public RwkvTimeMixing(int width, int inner, ScalarType dtype = ScalarType.Float32)
        : base(nameof(RwkvTimeMixing))
    {
        _decay = new Parameter(empty([inner], dtype));
        _bonus = new Parameter(empty([inner], dtype));
        _mixKey = new Parameter(empty([1, 1, width], dtype));
        _mixValue = new Parameter(empty([1, 1, width], dtype));
        _mixReceptance = new Parameter(empty([1, 1, width], dtype));
        _key = new Linear(width, inner, dtype: dtype);
        _value = new Linear(width, inner, dtype: dtype);
        _receptance = new Linear(width, inner, dtype: dtype);
        _output = new Linear(inner, width, dtype: dtype);
        RegisterComponents();
    }

    /// <summary>Writes to the residual stream.</summary>
    public Linear Output => _output;

    /// <summary>(B, T, width) to (B, T, width).</summary>
    /// <param name="x">What the norm before makes of the residual stream.</param>
    /// <param name="tokens">One for a token and zero for padding, (B, T, 1); null where nothing is padded.</param>
    /// <param name="before">The position before these, (B, width), overwritten; or null.</param>
    /// <param name="state">Numerator, denominator and largest exponent, (B, 3, inner), overwritten; or null.</param>
    public Tensor Forward(Tensor x, Tensor? tokens, Tensor? before, Tensor? state)
    {
        x = tokens is null ? x : x.mul(tokens);
        var shifted = TimeShift.Before(x, before);
        var key = _key.forward(TimeShift.Mix(x, shifted, _mixKey));
        var value = _value.forward(TimeShift.Mix(x, shifted, _mixValue));
        var receptance = _receptance.forward(TimeShift.Mix(x, shifted, _mixReceptance)).sigmoid();
        if (tokens is not null)
        {
            // Padding weighs nothing: what it leaves in the state vanishes beside the first token.
            using var nothing = Ops.WeightedKeyValue.Nothing.ToScalar();
            key = key.masked_fill(tokens.eq(Ops.Scalars.Zero), nothing);
            value = value.mul(tokens);
        }

        return _output.forward(receptance.mul(Ops.WeightedKeyValue.Apply(_decay, _bonus, key, value, state)));
    }
}
