using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>A short causal convolution over time, every channel on its own, with its learned kernels.</summary>
public sealed class TimeConvolution : nn.Module
{
    [ComponentName(Name = "weight")]
    private readonly Parameter _weight;

    [ComponentName(Name = "bias")]
    private readonly Parameter? _bias;

    /// <summary>Kernels (channels, 1, kernel) that are not yet set to anything.</summary>
    public TimeConvolution(int channels, int kernel, bool bias, ScalarType dtype = ScalarType.Float32)
        : base(nameof(TimeConvolution))
    {
        _weight = new Parameter(empty([channels, 1, kernel], dtype));
        _bias = bias ? new Parameter(empty([channels], dtype)) : null;
        RegisterComponents();
    }

    /// <summary>The kernels, (channels, 1, K).</summary>
    public Tensor Weight => _weight;

    /// <summary>The bias, (channels), or null.</summary>
    public Tensor? Bias => _bias;

    /// <summary>(B, T, channels) to the same, behind the K - 1 positions of the state, which is overwritten by the last ones.</summary>
    public Tensor Forward(Tensor x, Tensor? state) => Ops.CausalConvolution.Apply(x, _weight, _bias, state);
}
