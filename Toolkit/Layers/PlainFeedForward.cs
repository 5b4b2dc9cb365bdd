using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>The feed-forward of the first transformers: <c>down(activation(up(x)))</c>.</summary>
public sealed class PlainFeedForward : FeedForward
{
    private readonly Ops.Activation _activation;

    /// <summary>A feed-forward of <paramref name="hidden"/> inner values.</summary>
    /// <param name="width">Width of the residual stream.</param>
    /// <param name="hidden">Inner values.</param>
    /// <param name="activation">What they pass through.</param>
    /// <param name="bias">Whether the linears have a bias.</param>
    /// <param name="transposed">Whether weights are stored as (inputs, outputs).</param>
    /// <param name="names">What the family calls the linears.</param>
    /// <param name="dtype">Type of the weights.</param>
    public PlainFeedForward(
        int width, int hidden, Ops.Activation activation, bool bias = true, bool transposed = false, BlockNames? names = null, ScalarType dtype = ScalarType.Float32)
        : base(nameof(PlainFeedForward))
    {
        names ??= new BlockNames();
        _activation = activation;
        Up = Add(names.Up, width, hidden, bias, dtype, transposed);
        Down = Add(names.Down, hidden, width, bias, dtype, transposed);
    }

    /// <summary>Makes the inner values.</summary>
    public Linear Up { get; }

    /// <summary>Writes to the residual stream.</summary>
    public Linear Down { get; }

    /// <inheritdoc/>
    public override IEnumerable<LinearGroup> Groups => [new(LinearRole.FeedForwardInput, [Up]), new(LinearRole.FeedForwardOutput, [Down])];

    /// <summary>(..., width) to (..., width).</summary>
    public override Tensor forward(Tensor x) => Down.forward(Ops.ActivationFunction.Apply(Up.forward(x), _activation));
}
