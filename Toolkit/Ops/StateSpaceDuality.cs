using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Ops;

/// <summary>
/// The recurrence of Mamba-2 (Dao and Gu, 2024): every head has a state of P rows and N columns that decays as a whole, <c>h ← exp(Δ·A)·h + Δ·x·Bᵀ</c>, and
/// says <c>y = h·C + D·x</c>. Heads of a group share B and C.
/// </summary>
public static class StateSpaceDuality
{
    /// <summary>The plain definition, one position after the other, in float32.</summary>
    /// <param name="x">(B, T, H, P).</param>
    /// <param name="delta">Step sizes, (B, T, H), positive.</param>
    /// <param name="a">(H), negative.</param>
    /// <param name="b">(B, T, G, N).</param>
    /// <param name="c">(B, T, G, N).</param>
    /// <param name="skip">D, (H).</param>
    /// <param name="state">h before the first position, (B, H, P, N) of float32, overwritten by h after the last; null for zeros.</param>
    /// <returns>y, (B, T, H, P), of x's type.</returns>
    public static Tensor Reference(Tensor x, Tensor delta, Tensor a, Tensor b, Tensor c, Tensor skip, Tensor? state)
    {
        var (wide, steps) = (x.to(ScalarType.Float32), delta.to(ScalarType.Float32));
        var h = state ?? zeros([x.shape[0], x.shape[2], x.shape[3], b.shape[3]], ScalarType.Float32, x.device);
        var (keys, queries) = (PerHead(b, x.shape[2]), PerHead(c, x.shape[2])); // (B, T, H, N)
        var y = new Tensor[x.shape[1]];
        for (var t = 0; t < y.Length; t++)
        {
            var step = steps.select(1, t); // (B, H)
            var input = wide.select(1, t).mul(step.unsqueeze(-1)).unsqueeze(-1).mul(keys.select(1, t).unsqueeze(2)); // (B, H, P, N)
            h = step.mul(a).exp().unsqueeze(-1).unsqueeze(-1).mul(h).add(input, Scalars.One);
            y[t] = h.matmul(queries.select(1, t).unsqueeze(-1)).squeeze(-1); // (B, H, P)
        }

        Keep(state, h);
        return stack(y, 1).add(wide.mul(skip.unsqueeze(-1)), Scalars.One).to(x.dtype);
    }

    /// <summary>
    /// The same as matrix products over chunks of positions (section 6 of the paper): inside a chunk it is attention whose weights are C·Bᵀ times the decay
    /// between the two positions; from chunk to chunk the state is handed on.
    /// </summary>
    /// <param name="x">(B, T, H, P).</param>
    /// <param name="delta">Step sizes, (B, T, H), positive.</param>
    /// <param name="a">(H), negative.</param>
    /// <param name="b">(B, T, G, N).</param>
    /// <param name="c">(B, T, G, N).</param>
    /// <param name="skip">D, (H).</param>
    /// <param name="state">h before the first position, (B, H, P, N) of float32, overwritten by h after the last; null for zeros.</param>
    /// <param name="chunk">Positions of a chunk; any number gives the same result.</param>
    /// <returns>y, (B, T, H, P), of x's type.</returns>
    public static Tensor Chunked(Tensor x, Tensor delta, Tensor a, Tensor b, Tensor c, Tensor skip, Tensor? state, int chunk)
    {
        var (wide, steps, heads) = (x.to(ScalarType.Float32), delta.to(ScalarType.Float32), x.shape[2]);
        var inputs = wide.mul(steps.unsqueeze(-1)); // (B, T, H, P)
        var (keys, queries) = (PerHead(b, heads), PerHead(c, heads)); // (B, T, H, N)
        var h = state;
        var parts = new List<Tensor>();
        for (var start = 0L; start < x.shape[1]; start += chunk)
        {
            var length = Math.Min(chunk, x.shape[1] - start);
            var values = inputs.narrow(1, start, length).transpose(1, 2); // (B, H, L, P)
            var (k, q) = (keys.narrow(1, start, length).transpose(1, 2), queries.narrow(1, start, length).transpose(1, 2)); // (B, H, L, N)
            var sums = steps.narrow(1, start, length).mul(a).cumsum(1).transpose(1, 2); // (B, H, L): logarithm of the decay since the chunk's start
            var later = ones([length, length], ScalarType.Bool, x.device).triu(1);
            var between = sums.unsqueeze(-1).sub(sums.unsqueeze(-2)).masked_fill(later, Scalars.MinusInfinity).exp(); // (B, H, L, L)
            var y = q.matmul(k.transpose(-1, -2)).mul(between).matmul(values); // (B, H, L, P)
            if (h is not null)
            {
                y = y.add(q.mul(sums.exp().unsqueeze(-1)).matmul(h.transpose(-1, -2)), Scalars.One);
            }

            var last = sums.narrow(2, length - 1, 1); // (B, H, 1)
            var written = values.transpose(-1, -2).matmul(k.mul(last.sub(sums).exp().unsqueeze(-1))); // (B, H, P, N)
            h = h is null ? written : h.mul(last.exp().unsqueeze(-1)).add(written, Scalars.One);
            parts.Add(y.transpose(1, 2));
        }

        Keep(state, h!);
        return cat(parts, 1).add(wide.mul(skip.unsqueeze(-1)), Scalars.One).to(x.dtype);
    }

    /// <summary>In one pass over memory for float32 on the CPU without a gradient; elsewhere by chunks.</summary>
    /// <inheritdoc cref="Chunked"/>
    public static Tensor Apply(Tensor x, Tensor delta, Tensor a, Tensor b, Tensor c, Tensor skip, Tensor? state, int chunk)
    {
        (x, delta, b, c) = (x.contiguous(), delta.contiguous(), b.contiguous(), c.contiguous());
        var gradient = is_grad_enabled() && (x.requires_grad || delta.requires_grad || a.requires_grad || b.requires_grad || c.requires_grad || skip.requires_grad);
        return gradient || !CpuKernel.Fits(x, delta, a, b, c, skip) || (state is not null && !CpuKernel.Fits(state))
            ? Chunked(x, delta, a, b, c, skip, state, chunk)
            : Forward(x, delta, a, b, c, skip, state ?? zeros(x.shape[0], x.shape[2], x.shape[3], b.shape[3]));
    }

    private static unsafe Tensor Forward(Tensor x, Tensor delta, Tensor a, Tensor b, Tensor c, Tensor skip, Tensor state)
    {
        var y = empty_like(x);
        var arguments = new Arguments
        {
            X = CpuKernel.Pointer(x),
            Delta = CpuKernel.Pointer(delta),
            A = CpuKernel.Pointer(a),
            B = CpuKernel.Pointer(b),
            C = CpuKernel.Pointer(c),
            Skip = CpuKernel.Pointer(skip),
            State = CpuKernel.Pointer(state),
            Y = CpuKernel.Pointer(y),
            Time = x.shape[1],
            Heads = (int)x.shape[2],
            Rows = (int)x.shape[3],
            Groups = (int)b.shape[2],
            States = (int)b.shape[3],
        };
        CpuKernel.Run(x.shape[0] * x.shape[2], 1, &ForwardHeads, &arguments);
        GC.KeepAlive(x);
        GC.KeepAlive(delta);
        GC.KeepAlive(a);
        GC.KeepAlive(b);
        GC.KeepAlive(c);
        GC.KeepAlive(skip);
        GC.KeepAlive(state);
        return y;
    }

    /// <summary>One head of one sequence at a time: its state stays in the cache for all positions.</summary>
    [UnmanagedCallersOnly]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static unsafe void ForwardHeads(long begin, long end, void* context)
    {
        var p = (Arguments*)context;
        var n = p->States;
        for (var unit = begin; unit < end; unit++)
        {
            long sequence = unit / p->Heads, head = unit % p->Heads, group = head / (p->Heads / p->Groups);
            var state = p->State + (unit * p->Rows * n);
            for (var t = 0L; t < p->Time; t++)
            {
                var at = (sequence * p->Time) + t;
                var delta = p->Delta[(at * p->Heads) + head];
                var decay = MathF.Exp(delta * p->A[head]);
                var b = p->B + (((at * p->Groups) + group) * n);
                var c = p->C + (((at * p->Groups) + group) * n);
                var x = p->X + (((at * p->Heads) + head) * p->Rows);
                var y = p->Y + (((at * p->Heads) + head) * p->Rows);
                for (var row = 0; row < p->Rows; row++)
                {
                    y[row] = Step(state + ((long)row * n), b, c, n, decay, delta * x[row]) + (p->Skip[head] * x[row]);
                }
            }
        }
    }

    /// <summary>h ← decay·h + input·B; returns h·C.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe float Step(float* h, float* b, float* c, int n, float decay, float input)
    {
        var sum = Vector256<float>.Zero;
        var i = 0;
        for (; i <= n - Vector256<float>.Count; i += Vector256<float>.Count)
        {
            var next = (Vector256.Load(h + i) * decay) + (Vector256.Load(b + i) * input);
            next.Store(h + i);
            sum += next * Vector256.Load(c + i);
        }

        var total = Vector256.Sum(sum);
        for (; i < n; i++)
        {
            h[i] = (h[i] * decay) + (b[i] * input);
            total += h[i] * c[i];
        }

        return total;
    }

    /// <summary>(B, T, G, N) to (B, T, H, N) of float32, every group repeated for its heads.</summary>
    private static Tensor PerHead(Tensor x, long heads)
    {
        var (batch, time, groups, states) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3]);
        return x.to(ScalarType.Float32).unsqueeze(3).expand(batch, time, groups, heads / groups, states).reshape(batch, time, heads, states);
    }

    private static void Keep(Tensor? state, Tensor h)
    {
        if (state is not null)
        {
            using var noGradient = no_grad();
            state.copy_(h);
        }
    }

    private unsafe struct Arguments
    {
        public float* X;
        public float* Delta;
        public float* A;
        public float* B;
        public float* C;
        public float* Skip;
        public float* State;
        public float* Y;
        public long Time;
        public int Heads;
        public int Rows;
        public int Groups;
        public int States;
    }
}
