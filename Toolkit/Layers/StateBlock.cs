using TorchSharp;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>One layer of a state-space model: a mixer behind a norm, added to the residual stream.</summary>
public sealed class StateBlock : nn.Module
{
    [ComponentName(Name = "norm")]
    private readonly RmsNormLayer _norm;

    [ComponentName(Name = "mixer")]
    private readonly StateMixer _mixer;

    /// <summary>A block of these parts.</summary>
    public StateBlock(RmsNormLayer norm, StateMixer mixer)
        : base(nameof(StateBlock))
    {
        (_norm, _mixer) = (norm, mixer);
        RegisterComponents();
    }

    /// <summary>Precedes the mixer.</summary>
    public RmsNormLayer Norm => _norm;

    /// <summary>Mixes positions.</summary>
    public StateMixer Mixer => _mixer;

    /// <summary>(B, T, width) to (B, T, width); for the parameters see <see cref="StateMixer.Forward"/>.</summary>
    public Tensor Forward(Tensor x, Tensor? tokens, Tensor? convolution, Tensor? state) =>
        x.add(_mixer.Forward(_norm.forward(x.to(_norm.Weight.dtype)), tokens, convolution, state), Ops.Scalars.One);
}
