using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>The gated feed-forward (Shazeer, 2020): <c>down(activation(gate(x)) · up(x))</c>.</summary>
public sealed class GatedFeedForward : FeedForward
{
    private readonly Ops.Activation _activation;

    /// <summary>A feed-forward of <paramref name="hidden"/> inner values.</summary>
    /// <param name="width">Width of the residual stream.</param>
    /// <param name="hidden">Inner values.</param>
    /// <param name="activation">What the gate passes through.</param>
    /// <param name="fused">Whether gate and up are one linear: all of the gate, then all of up.</param>
    /// <param name="bias">Whether the linears have a bias.</param>
    /// <param name="names">What the family calls the linears.</param>
    /// <param name="dtype">Type of the weights.</param>
    public GatedFeedForward(
        int width, int hidden, Ops.Activation activation = Ops.Activation.Silu, bool fused = false, bool bias = false, BlockNames? names = null,
        ScalarType dtype = ScalarType.Float32)
        : base(nameof(GatedFeedForward))
    {
        names ??= new BlockNames();
        _activation = activation;
        Inputs = fused
            ? [Add(names.GateUp, width, 2L * hidden, bias, dtype)]
            : [Add(names.Gate, width, hidden, bias, dtype), Add(names.Up, width, hidden, bias, dtype)];
        Down = Add(names.Down, hidden, width, bias, dtype);
    }

    /// <summary>Gate and up, or one linear that holds both in this order.</summary>
    public IReadOnlyList<Linear> Inputs { get; }

    /// <summary>Writes to the residual stream.</summary>
    public Linear Down { get; }

    /// <inheritdoc/>
    public override IEnumerable<LinearGroup> Groups =>
    [
        new(LinearRole.FeedForwardInput, Inputs),
        new(LinearRole.FeedForwardOutput, [Down]) { Source = Inputs.Count == 2 ? Inputs[1] : null },
    ];

    /// <summary>(..., width) to (..., width).</summary>
    public override Tensor forward(Tensor x)
    {
        Tensor gate, up;
        if (Inputs.Count == 2)
        {
            (gate, up) = (Inputs[0].forward(x), Inputs[1].forward(x));
        }
        else
        {
            var both = Inputs[0].forward(x);
            (gate, up) = (both.narrow(-1, 0, Down.Inputs), both.narrow(-1, Down.Inputs, Down.Inputs));
        }

        return Down.forward(_activation == Ops.Activation.Silu ? Ops.SwiGlu.Apply(gate, up) : Ops.ActivationFunction.Apply(gate, _activation).mul(up));
    }
}
