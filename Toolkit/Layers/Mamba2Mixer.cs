using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>Mamba-2's mixer (Dao and Gu, 2024): one linear makes everything, a short convolution, heads whose states decay as a whole, a gated norm.</summary>
public sealed class Mamba2Mixer : StateMixer
{
    [ComponentName(Name = "in_proj")]
    private readonly Linear _input;

    [ComponentName(Name = "conv1d")]
    private readonly TimeConvolution _convolution;

    [ComponentName(Name = "dt_bias")]
    private readonly Parameter _stepBias;

    [ComponentName(Name = "A_log")]
    private readonly Parameter _decay;

    [ComponentName(Name = "D")]
    private readonly Parameter _skip;

    [ComponentName(Name = "norm")]
    private readonly RmsNormLayer _norm;

    [ComponentName(Name = "out_proj")]
    private readonly Linear _output;

    private readonly Mamba2MixerOptions _options;
    private readonly Scalar? _leastStep;
    private readonly Scalar? _mostStep;

    /// <summary>A mixer whose weights are not yet set to anything.</summary>
    public Mamba2Mixer(Mamba2MixerOptions options, ScalarType dtype = ScalarType.Float32)
        : base(nameof(Mamba2Mixer))
    {
        _options = options;
        _input = new Linear(options.Width, options.Inner + options.Channels + options.Heads, options.Bias, dtype);
        _convolution = new TimeConvolution(options.Channels, options.Kernel, options.ConvolutionBias, dtype);
        _stepBias = new Parameter(empty([options.Heads], dtype));
        _decay = new Parameter(empty([options.Heads], dtype));
        _skip = new Parameter(empty([options.Heads], dtype));
        _norm = new RmsNormLayer(options.Inner, options.NormEpsilon, dtype);
        _output = new Linear(options.Inner, options.Width, options.Bias, dtype);
        // Softplus is never negative and never infinite: limits of zero and infinity change nothing.
        _leastStep = options.LeastStep > 0 ? options.LeastStep.ToScalar() : null;
        _mostStep = double.IsPositiveInfinity(options.MostStep) ? null : options.MostStep.ToScalar();
        RegisterComponents();
    }

    /// <inheritdoc/>
    public override Linear Output => _output;

    /// <summary>What is added to the steps, (heads).</summary>
    public Tensor StepBias => _stepBias;

    /// <summary>ln(-A), (heads).</summary>
    public Tensor Decay => _decay;

    /// <summary>D, (heads).</summary>
    public Tensor Skip => _skip;

    /// <inheritdoc/>
    public override Tensor Forward(Tensor x, Tensor? tokens, Tensor? convolution, Tensor? state)
    {
        var o = _options;
        var (batch, time) = (x.shape[0], x.shape[1]);
        var projected = _input.forward(x);
        var gate = projected.narrow(2, 0, o.Inner);
        var mixed = projected.narrow(2, o.Inner, o.Channels);
        mixed = Ops.ActivationFunction.Apply(_convolution.Forward(tokens is null ? mixed : mixed.mul(tokens), convolution), o.Activation);
        mixed = tokens is null ? mixed : mixed.mul(tokens);
        var values = mixed.narrow(2, 0, o.Inner).reshape(batch, time, o.Heads, o.HeadDimension); // (B, T, H, P)
        var keys = mixed.narrow(2, o.Inner, o.Groups * o.States).reshape(batch, time, o.Groups, o.States); // (B, T, G, N)
        var queries = mixed.narrow(2, o.Inner + (o.Groups * o.States), o.Groups * o.States).reshape(batch, time, o.Groups, o.States);
        var delta = Steps(projected.narrow(2, o.Inner + o.Channels, o.Heads)); // (B, T, H)
        var a = _decay.to(ScalarType.Float32).exp().neg();
        var y = Ops.StateSpaceDuality.Apply(values, delta, a, keys, queries, _skip.to(ScalarType.Float32), state, o.Chunk);
        return _output.forward(_norm.forward(Ops.SwiGlu.Apply(gate.contiguous(), y.reshape(batch, time, o.Inner))));
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _leastStep?.Dispose();
            _mostStep?.Dispose();
        }

        base.Dispose(disposing);
    }

    private Tensor Steps(Tensor raw)
    {
        var delta = Softplus(raw.add(_stepBias, Ops.Scalars.One));
        return _leastStep is null && _mostStep is null ? delta : delta.clamp(_leastStep, _mostStep);
    }
}
