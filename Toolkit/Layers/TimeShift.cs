using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>Every position mixed with the one before it, in the proportion that a channel has learned (RWKV's token shift).</summary>
internal static class TimeShift
{
    /// <summary>The positions before each of these, (B, T, width): the state's first, which is overwritten by the last of these; zeros without a state.</summary>
    public static Tensor Before(Tensor x, Tensor? state)
    {
        var time = x.shape[1];
        var first = state is null ? zeros_like(x.narrow(1, 0, 1)) : state.unsqueeze(1).clone(); // (B, 1, width)
        if (state is not null)
        {
            using var noGradient = no_grad();
            state.copy_(x.select(1, time - 1));
        }

        return time == 1 ? first : cat([first, x.narrow(1, 0, time - 1)], 1);
    }

    /// <summary><c>x·m + before·(1 - m)</c>.</summary>
    public static Tensor Mix(Tensor x, Tensor before, Tensor proportion) => before.add(x.sub(before).mul(proportion), Ops.Scalars.One);
}
