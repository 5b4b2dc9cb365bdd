using TorchSharp;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>The gated feed-forward half of a block: <c>down(silu(gate(x)) · up(x))</c>.</summary>
public sealed class FeedForward : nn.Module<Tensor, Tensor>
{
    [ComponentName(Name = "gate_proj")]
    private readonly Linear _gate;

    [ComponentName(Name = "up_proj")]
    private readonly Linear _up;

    [ComponentName(Name = "down_proj")]
    private readonly Linear _down;

    /// <summary>A feed-forward of <paramref name="hidden"/> inner values.</summary>
    public FeedForward(int width, int hidden, bool bias = false, ScalarType dtype = ScalarType.Float32)
        : base(nameof(FeedForward))
    {
        _gate = new Linear(width, hidden, bias, dtype);
        _up = new Linear(width, hidden, bias, dtype);
        _down = new Linear(hidden, width, bias, dtype);
        RegisterComponents();
    }

    /// <summary>Makes the gate.</summary>
    public Linear Gate => _gate;

    /// <summary>Makes what is gated.</summary>
    public Linear Up => _up;

    /// <summary>Writes to the residual stream.</summary>
    public Linear Down => _down;

    /// <summary>(B, T, width) to (B, T, width).</summary>
    public override Tensor forward(Tensor x) => _down.forward(Ops.SwiGlu.Apply(_gate.forward(x), _up.forward(x)));
}
