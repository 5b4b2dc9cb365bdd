using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>Mamba's mixer (Gu and Dao, 2023): a gate, a short convolution, and a selective scan whose steps and directions depend on the token.</summary>
public sealed class MambaMixer : StateMixer
{
    [ComponentName(Name = "in_proj")]
    private readonly Linear _input;

    [ComponentName(Name = "conv1d")]
    private readonly TimeConvolution _convolution;

    [ComponentName(Name = "x_proj")]
    private readonly Linear _selection;

    [ComponentName(Name = "dt_proj")]
    private readonly Linear _step;

    [ComponentName(Name = "A_log")]
    private readonly Parameter _decay;

    [ComponentName(Name = "D")]
    private readonly Parameter _skip;

    [ComponentName(Name = "out_proj")]
    private readonly Linear _output;

    private readonly int _inner;
    private readonly int _states;
    private readonly int _rank;
    private readonly Ops.Activation _activation;

    /// <summary>A mixer whose weights are not yet set to anything.</summary>
    /// <param name="width">Width of the residual stream.</param>
    /// <param name="inner">Channels of the scan.</param>
    /// <param name="states">Numbers of a channel's state.</param>
    /// <param name="rank">Width from which the steps are made.</param>
    /// <param name="kernel">Positions of the convolution.</param>
    /// <param name="bias">Whether the linears in and out have a bias.</param>
    /// <param name="convolutionBias">Whether the convolution has one.</param>
    /// <param name="activation">What the convolution passes through; the gate is always silu.</param>
    /// <param name="dtype">Type of the weights.</param>
    public MambaMixer(int width, int inner, int states, int rank, int kernel, bool bias, bool convolutionBias, Ops.Activation activation = Ops.Activation.Silu, ScalarType dtype = ScalarType.Float32)
        : base(nameof(MambaMixer))
    {
        (_inner, _states, _rank, _activation) = (inner, states, rank, activation);
        _input = new Linear(width, 2 * inner, bias, dtype);
        _convolution = new TimeConvolution(inner, kernel, convolutionBias, dtype);
        _selection = new Linear(inner, rank + (2 * states), dtype: dtype);
        _step = new Linear(rank, inner, bias: true, dtype);
        _decay = new Parameter(empty([inner, states], dtype));
        _skip = new Parameter(empty([inner], dtype));
        _output = new Linear(inner, width, bias, dtype);
        RegisterComponents();
    }

    /// <inheritdoc/>
    public override Linear Output => _output;

    /// <summary>Makes the steps.</summary>
    public Linear Step => _step;

    /// <summary>ln(-A), (inner, states).</summary>
    public Tensor Decay => _decay;

    /// <summary>D, (inner).</summary>
    public Tensor Skip => _skip;

    /// <inheritdoc/>
    public override Tensor Forward(Tensor x, Tensor? tokens, Tensor? convolution, Tensor? state)
    {
        var projected = _input.forward(x); // (B, T, 2·inner)
        var (u, gate) = (projected.narrow(2, 0, _inner), projected.narrow(2, _inner, _inner));
        u = Ops.ActivationFunction.Apply(_convolution.Forward(tokens is null ? u : u.mul(tokens), convolution), _activation);
        u = tokens is null ? u : u.mul(tokens);
        var selection = _selection.forward(u); // (B, T, rank + 2·states)
        var delta = Softplus(_step.forward(selection.narrow(2, 0, _rank)));
        var a = _decay.to(ScalarType.Float32).exp().neg();
        var y = Ops.SelectiveScan.Apply(
            u, delta, a, selection.narrow(2, _rank, _states), selection.narrow(2, _rank + _states, _states), _skip.to(ScalarType.Float32), state);
        return _output.forward(Ops.SwiGlu.Apply(gate.contiguous(), y));
    }
}
