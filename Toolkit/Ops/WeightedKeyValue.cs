using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Ops;

/// <summary>
/// The recurrence of RWKV-4 (Peng et al., 2023), channel by channel: the mean of all values so far, weighted by <c>exp(k)</c> times <c>exp(-exp(w))</c> for
/// every position since, and by <c>exp(u + k)</c> for the position itself. Numerator and denominator are kept divided by the exponential of the largest
/// exponent so far, so nothing overflows.
/// </summary>
public static class WeightedKeyValue
{
    /// <summary>The exponent of a state that has seen nothing.</summary>
    public const float Nothing = -1e38f;

    private const int Lanes = 8;

    /// <summary>The plain definition, one position after the other, in float32.</summary>
    /// <param name="decay">w, (D).</param>
    /// <param name="bonus">u, (D).</param>
    /// <param name="k">(B, T, D).</param>
    /// <param name="v">(B, T, D).</param>
    /// <param name="state">
    /// Numerator, denominator and largest exponent before the first position, (B, 3, D) of float32, overwritten by those after the last; null for a state
    /// that has seen nothing.
    /// </param>
    /// <returns>(B, T, D), of k's type.</returns>
    public static Tensor Reference(Tensor decay, Tensor bonus, Tensor k, Tensor v, Tensor? state)
    {
        var (keys, values) = (k.to(ScalarType.Float32), v.to(ScalarType.Float32));
        var (w, u) = (decay.to(ScalarType.Float32).exp().neg(), bonus.to(ScalarType.Float32));
        var start = state ?? New(k.shape[0], k.shape[2], k.device);
        var (numerator, denominator, largest) = (start.select(1, 0), start.select(1, 1), start.select(1, 2));
        var y = new Tensor[k.shape[1]];
        for (var t = 0; t < y.Length; t++)
        {
            var (key, value) = (keys.select(1, t), values.select(1, t)); // (B, D)
            var own = key.add(u, Scalars.One);
            var most = maximum(largest, own);
            var (before, now) = (largest.sub(most).exp(), own.sub(most).exp());
            y[t] = before.mul(numerator).add(now.mul(value), Scalars.One).div(before.mul(denominator).add(now, Scalars.One));

            var decayed = largest.add(w, Scalars.One);
            most = maximum(decayed, key);
            (before, now) = (decayed.sub(most).exp(), key.sub(most).exp());
            numerator = before.mul(numerator).add(now.mul(value), Scalars.One);
            denominator = before.mul(denominator).add(now, Scalars.One);
            largest = most;
        }

        if (state is not null)
        {
            using var noGradient = no_grad();
            state.copy_(stack([numerator, denominator, largest], 1));
        }

        return stack(y, 1).to(k.dtype);
    }

    /// <summary>The same with the state in registers for float32 on the CPU without a gradient; elsewhere the reference.</summary>
    /// <inheritdoc cref="Reference"/>
    public static Tensor Apply(Tensor decay, Tensor bonus, Tensor k, Tensor v, Tensor? state)
    {
        (k, v) = (k.contiguous(), v.contiguous());
        var gradient = is_grad_enabled() && (decay.requires_grad || bonus.requires_grad || k.requires_grad || v.requires_grad);
        return gradient || !CpuKernel.Fits(decay, bonus, k, v) || (state is not null && !CpuKernel.Fits(state)) || k.shape[2] % Lanes != 0
            ? Reference(decay, bonus, k, v, state)
            : Forward(decay, bonus, k, v, state ?? New(k.shape[0], k.shape[2], k.device));
    }

    /// <summary>A state (B, 3, D) that has seen nothing.</summary>
    private static Tensor New(long batch, long width, Device device)
    {
        using var noGradient = no_grad();
        using var nothing = Nothing.ToScalar();
        var state = zeros([batch, 3, width], ScalarType.Float32, device);
        state.select(1, 2).fill_(nothing);
        return state;
    }

    private static unsafe Tensor Forward(Tensor decay, Tensor bonus, Tensor k, Tensor v, Tensor state)
    {
        var y = empty_like(k);
        var arguments = new Arguments
        {
            Decay = CpuKernel.Pointer(decay),
            Bonus = CpuKernel.Pointer(bonus),
            Key = CpuKernel.Pointer(k),
            Value = CpuKernel.Pointer(v),
            State = CpuKernel.Pointer(state),
            Y = CpuKernel.Pointer(y),
            Time = k.shape[1],
            Width = k.shape[2],
        };
        CpuKernel.Run(k.shape[0] * (k.shape[2] / Lanes), 4, &ForwardBlocks, &arguments);
        GC.KeepAlive(decay);
        GC.KeepAlive(bonus);
        GC.KeepAlive(k);
        GC.KeepAlive(v);
        GC.KeepAlive(state);
        return y;
    }

    [UnmanagedCallersOnly]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static unsafe void ForwardBlocks(long begin, long end, void* context)
    {
        var p = (Arguments*)context;
        for (var block = begin; block < end; block++)
        {
            long sequence = block / (p->Width / Lanes), channel = block % (p->Width / Lanes) * Lanes;
            var w = -Vector256.Exp(Vector256.Load(p->Decay + channel));
            var u = Vector256.Load(p->Bonus + channel);
            var state = p->State + (sequence * 3 * p->Width) + channel;
            var numerator = Vector256.Load(state);
            var denominator = Vector256.Load(state + p->Width);
            var largest = Vector256.Load(state + (2 * p->Width));
            for (var t = 0L; t < p->Time; t++)
            {
                var at = (((sequence * p->Time) + t) * p->Width) + channel;
                var (key, value) = (Vector256.Load(p->Key + at), Vector256.Load(p->Value + at));
                var own = key + u;
                var most = Vector256.Max(largest, own);
                var (before, now) = (Vector256.Exp(largest - most), Vector256.Exp(own - most));
                (((before * numerator) + (now * value)) / ((before * denominator) + now)).Store(p->Y + at);

                var decayed = largest + w;
                most = Vector256.Max(decayed, key);
                (before, now) = (Vector256.Exp(decayed - most), Vector256.Exp(key - most));
                numerator = (before * numerator) + (now * value);
                denominator = (before * denominator) + now;
                largest = most;
            }

            numerator.Store(state);
            denominator.Store(state + p->Width);
            largest.Store(state + (2 * p->Width));
        }
    }

    private unsafe struct Arguments
    {
        public float* Decay;
        public float* Bonus;
        public float* Key;
        public float* Value;
        public float* State;
        public float* Y;
        public long Time;
        public long Width;
    }
}
