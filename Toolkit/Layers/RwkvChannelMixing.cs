using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>The feed-forward half of an RWKV-4 block: a squared rectifier, let through by a receptance.</summary>
public sealed class RwkvChannelMixing : nn.Module
{
    [ComponentName(Name = "time_mix_key")]
    private readonly Parameter _mixKey;

    [ComponentName(Name = "time_mix_receptance")]
    private readonly Parameter _mixReceptance;

    [ComponentName(Name = "key")]
    private readonly Linear _key;

    [ComponentName(Name = "receptance")]
    private readonly Linear _receptance;

    [ComponentName(Name = "value")]
    private readonly Linear _value;

    /// <summary>A half whose weights are not yet set to anything.</summary>
    public RwkvChannelMixing(int width, int inner, ScalarType dtype = ScalarType.Float32)
        : base(nameof(RwkvChannelMixing))
    {
        _mixKey = new Parameter(empty([1, 1, width], dtype));
        _mixReceptance = new Parameter(empty([1, 1, width], dtype));
        _key = new Linear(width, inner, dtype: dtype);
        _receptance = new Linear(width, width, dtype: dtype);
        _value = new Linear(inner, width, dtype: dtype);
        RegisterComponents();
    }

    /// <summary>Writes to the residual stream.</summary>
    public Linear Output => _value;

    /// <summary>(B, T, width) to (B, T, width); for the parameters see <see cref="RwkvTimeMixing.Forward"/>.</summary>
    public Tensor Forward(Tensor x, Tensor? tokens, Tensor? before)
    {
        x = tokens is null ? x : x.mul(tokens);
        var shifted = TimeShift.Before(x, before);
        var inner = nn.functional.relu(_key.forward(TimeShift.Mix(x, shifted, _mixKey)));
        return _receptance.forward(TimeShift.Mix(x, shifted, _mixReceptance)).sigmoid().mul(_value.forward(inner.mul(inner)));
    }
}
