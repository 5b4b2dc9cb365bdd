using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Ops;

/// <summary>
/// The recurrence of Mamba (Gu and Dao, 2023): every channel d has a state of N numbers, <c>h ← exp(Δ·A)·h + Δ·x·B</c>, and says <c>y = h·C + D·x</c>, where
/// Δ, B and C depend on the token.
/// </summary>
public static class SelectiveScan
{
    private const int Lanes = 8;

    /// <summary>The plain definition, one position after the other, in float32.</summary>
    /// <param name="x">(B, T, D).</param>
    /// <param name="delta">Step sizes, (B, T, D), positive.</param>
    /// <param name="a">(D, N), negative.</param>
    /// <param name="b">(B, T, N).</param>
    /// <param name="c">(B, T, N).</param>
    /// <param name="skip">D, (D).</param>
    /// <param name="state">h before the first position, (B, D, N) of float32, overwritten by h after the last; null for zeros.</param>
    /// <returns>y, (B, T, D), of x's type.</returns>
    public static Tensor Reference(Tensor x, Tensor delta, Tensor a, Tensor b, Tensor c, Tensor skip, Tensor? state)
    {
        var (wide, steps) = (x.to(ScalarType.Float32), delta.to(ScalarType.Float32));
        var h = state ?? zeros([x.shape[0], x.shape[2], a.shape[1]], ScalarType.Float32, x.device);
        var y = new Tensor[x.shape[1]];
        for (var t = 0; t < y.Length; t++)
        {
            var step = steps.select(1, t).unsqueeze(-1); // (B, D, 1)
            var input = step.mul(wide.select(1, t).unsqueeze(-1)).mul(b.select(1, t).unsqueeze(1)); // (B, D, N)
            h = step.mul(a).exp().mul(h).add(input, Scalars.One);
            y[t] = h.matmul(c.select(1, t).unsqueeze(-1).to(ScalarType.Float32)).squeeze(-1); // (B, D)
        }

        if (state is not null)
        {
            using var noGradient = no_grad();
            state.copy_(h);
        }

        return stack(y, 1).add(wide.mul(skip), Scalars.One).to(x.dtype);
    }

    /// <summary>The same with the states in registers for float32 on the CPU; elsewhere, and for a gradient behind a state, the reference.</summary>
    /// <inheritdoc cref="Reference"/>
    public static Tensor Apply(Tensor x, Tensor delta, Tensor a, Tensor b, Tensor c, Tensor skip, Tensor? state)
    {
        (x, delta, b, c) = (x.contiguous(), delta.contiguous(), b.contiguous(), c.contiguous());
        var gradient = is_grad_enabled() && (x.requires_grad || delta.requires_grad || a.requires_grad || b.requires_grad || c.requires_grad || skip.requires_grad);
        if (!CpuKernel.Fits(x, delta, a, b, c, skip) || (state is not null && (gradient || !CpuKernel.Fits(state))) || x.shape[2] % Lanes != 0)
        {
            return Reference(x, delta, a, b, c, skip, state);
        }

        return gradient ? Fused.apply(x, delta, a, b, c, skip) : Forward(x, delta, a, b, c, skip, state);
    }

    private static unsafe Tensor Forward(Tensor x, Tensor delta, Tensor a, Tensor b, Tensor c, Tensor skip, Tensor? state)
    {
        var y = empty_like(x);
        var arguments = Arguments.Of(x, delta, a, b, c, skip);
        arguments.Y = CpuKernel.Pointer(y);
        arguments.State = state is null ? null : CpuKernel.Pointer(state);
        CpuKernel.Run(x.shape[0] * (x.shape[2] / Lanes), 1, &ForwardBlocks, &arguments);
        KeepAlive(x, delta, a, b, c, skip);
        GC.KeepAlive(state);
        return y;
    }

    /// <summary>A block is eight channels of one sequence: their states lie beside each other, number by number.</summary>
    [UnmanagedCallersOnly]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static unsafe void ForwardBlocks(long begin, long end, void* context)
    {
        var p = (Arguments*)context;
        int n = p->States, width = p->Width;
        var memory = (float*)NativeMemory.AlignedAlloc((nuint)(2 * n * Lanes * sizeof(float)), 32);
        var a = memory;
        var h = memory + (n * Lanes);
        for (var block = begin; block < end; block++)
        {
            long sequence = block / (width / Lanes), channel = block % (width / Lanes) * Lanes;
            Gather(p->A + (channel * n), a, n);
            var state = p->State == null ? null : p->State + (((sequence * width) + channel) * n);
            if (state == null)
            {
                new Span<float>(h, n * Lanes).Clear();
            }
            else
            {
                Gather(state, h, n);
            }

            var skip = Vector256.Load(p->Skip + channel);
            for (var t = 0L; t < p->Time; t++)
            {
                var row = (sequence * p->Time) + t;
                var at = (row * width) + channel;
                var (x, delta) = (Vector256.Load(p->X + at), Vector256.Load(p->Delta + at));
                var b = p->B + (row * n);
                var c = p->C + (row * n);
                var input = delta * x;
                var y = skip * x;
                for (var i = 0; i < n; i++)
                {
                    var next = (Vector256.Exp(delta * Vector256.Load(a + (i * Lanes))) * Vector256.Load(h + (i * Lanes))) + (input * b[i]);
                    next.Store(h + (i * Lanes));
                    y += next * c[i];
                }

                y.Store(p->Y + at);
            }

            if (state != null)
            {
                Scatter(h, state, n);
            }
        }

        NativeMemory.AlignedFree(memory);
    }

    /// <summary>
    /// Backwards in time with g the gradient of h: g += dy·C; dC = Σ dy·h; with e = exp(Δ·A) and h' the state before,
    /// dΔ = Σ g·(h'·e·A + x·B), dA = Σ g·h'·e·Δ, dB = Σ g·Δ·x, dx = Σ g·Δ·B + dy·D; g ← g·e. A slab of channels has its own sums of dB and dC, so the
    /// result does not depend on threads. The states of a block are computed again and kept while it is worked on.
    /// </summary>
    [UnmanagedCallersOnly]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static unsafe void BackwardSlabs(long begin, long end, void* context)
    {
        var p = (Arguments*)context;
        int n = p->States, width = p->Width, blocks = width / Lanes;
        var size = n * Lanes;
        var memory = (float*)NativeMemory.AlignedAlloc((nuint)((3 + p->Time + 1) * size * sizeof(float)), 32);
        var a = memory;
        var g = memory + size;
        var da = memory + (2 * size);
        var states = memory + (3 * size);
        for (var unit = begin; unit < end; unit++)
        {
            long sequence = unit / Fused.Slabs, slab = unit % Fused.Slabs;
            var db = p->SlabB + (unit * p->Time * n);
            var dc = p->SlabC + (unit * p->Time * n);
            for (var block = blocks * slab / Fused.Slabs; block < blocks * (slab + 1) / Fused.Slabs; block++)
            {
                var channel = block * Lanes;
                Gather(p->A + (channel * n), a, n);
                new Span<float>(g, 2 * size).Clear();
                new Span<float>(states, size).Clear();
                for (var t = 0L; t < p->Time; t++)
                {
                    var row = (sequence * p->Time) + t;
                    var at = (row * width) + channel;
                    var delta = Vector256.Load(p->Delta + at);
                    var input = delta * Vector256.Load(p->X + at);
                    var before = states + (t * size);
                    for (var i = 0; i < n; i++)
                    {
                        var next = (Vector256.Exp(delta * Vector256.Load(a + (i * Lanes))) * Vector256.Load(before + (i * Lanes))) + (input * p->B[(row * n) + i]);
                        next.Store(before + size + (i * Lanes));
                    }
                }

                var skip = Vector256.Load(p->Skip + channel);
                var dskip = Vector256<float>.Zero;
                for (var t = p->Time - 1; t >= 0; t--)
                {
                    var row = (sequence * p->Time) + t;
                    var at = (row * width) + channel;
                    var (x, delta, dy) = (Vector256.Load(p->X + at), Vector256.Load(p->Delta + at), Vector256.Load(p->Y + at));
                    var b = p->B + (row * n);
                    var c = p->C + (row * n);
                    var input = delta * x;
                    var (dinput, ddelta) = (Vector256<float>.Zero, Vector256<float>.Zero);
                    var before = states + (t * size);
                    for (var i = 0; i < n; i++)
                    {
                        var rate = Vector256.Load(a + (i * Lanes));
                        var decay = Vector256.Exp(delta * rate);
                        var gradient = Vector256.Load(g + (i * Lanes)) + (dy * c[i]);
                        dc[(t * n) + i] += Vector256.Sum(dy * Vector256.Load(before + size + (i * Lanes)));
                        db[(t * n) + i] += Vector256.Sum(gradient * input);
                        dinput += gradient * b[i];
                        var decayed = gradient * decay;
                        var inside = decayed * Vector256.Load(before + (i * Lanes));
                        ddelta += inside * rate;
                        (Vector256.Load(da + (i * Lanes)) + (inside * delta)).Store(da + (i * Lanes));
                        decayed.Store(g + (i * Lanes));
                    }

                    ((dinput * delta) + (dy * skip)).Store(p->GradientX + at);
                    (ddelta + (dinput * x)).Store(p->GradientDelta + at);
                    dskip += dy * x;
                }

                Scatter(da, p->GradientA + (((sequence * width) + channel) * n), n);
                dskip.Store(p->GradientSkip + (sequence * width) + channel);
            }
        }

        NativeMemory.AlignedFree(memory);
    }

    /// <summary>Eight rows of n numbers to n rows of eight.</summary>
    private static unsafe void Gather(float* rows, float* columns, int n)
    {
        for (var i = 0; i < n; i++)
        {
            for (var lane = 0; lane < Lanes; lane++)
            {
                columns[(i * Lanes) + lane] = rows[(lane * n) + i];
            }
        }
    }

    private static unsafe void Scatter(float* columns, float* rows, int n)
    {
        for (var i = 0; i < n; i++)
        {
            for (var lane = 0; lane < Lanes; lane++)
            {
                rows[(lane * n) + i] = columns[(i * Lanes) + lane];
            }
        }
    }

    private static void KeepAlive(params ReadOnlySpan<Tensor> tensors)
    {
        foreach (var tensor in tensors)
        {
            GC.KeepAlive(tensor);
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
        public float* Y;
        public float* State;
        public float* GradientX;
        public float* GradientDelta;
        public float* GradientA;
        public float* GradientSkip;
        public float* SlabB;
        public float* SlabC;
        public long Time;
        public int Width;
        public int States;

        public static Arguments Of(Tensor x, Tensor delta, Tensor a, Tensor b, Tensor c, Tensor skip) => new()
        {
            X = CpuKernel.Pointer(x),
            Delta = CpuKernel.Pointer(delta),
            A = CpuKernel.Pointer(a),
            B = CpuKernel.Pointer(b),
            C = CpuKernel.Pointer(c),
            Skip = CpuKernel.Pointer(skip),
            Time = x.shape[1],
            Width = (int)x.shape[2],
            States = (int)a.shape[1],
        };
    }

    private sealed class Fused : autograd.SingleTensorFunction<Fused>
    {
        public const int Slabs = 8;

        public override string Name => nameof(SelectiveScan);

        public override Tensor forward(autograd.AutogradContext context, params object[] vars)
        {
            var inputs = vars.Cast<Tensor>().ToArray();
            context.save_for_backward([.. inputs]);
            return Forward(inputs[0], inputs[1], inputs[2], inputs[3], inputs[4], inputs[5], null);
        }

        public override unsafe List<Tensor> backward(autograd.AutogradContext context, Tensor gradient)
        {
            using var scope = NewDisposeScope();
            var s = context.get_saved_variables();
            gradient = gradient.contiguous();
            var (batch, time, width, states) = (s[0].shape[0], s[0].shape[1], s[0].shape[2], s[2].shape[1]);
            var (dx, ddelta, da, dskip) = (empty_like(s[0]), empty_like(s[0]), empty(batch, width, states), empty(batch, width));
            var (db, dc) = (zeros(batch, Slabs, time, states), zeros(batch, Slabs, time, states));
            var arguments = Arguments.Of(s[0], s[1], s[2], s[3], s[4], s[5]);
            arguments.Y = CpuKernel.Pointer(gradient);
            arguments.GradientX = CpuKernel.Pointer(dx);
            arguments.GradientDelta = CpuKernel.Pointer(ddelta);
            arguments.GradientA = CpuKernel.Pointer(da);
            arguments.GradientSkip = CpuKernel.Pointer(dskip);
            arguments.SlabB = CpuKernel.Pointer(db);
            arguments.SlabC = CpuKernel.Pointer(dc);
            CpuKernel.Run(batch * Slabs, 1, &BackwardSlabs, &arguments);
            KeepAlive(gradient, da, dskip, db, dc);
            return
            [
                dx.MoveToOuterDisposeScope(), ddelta.MoveToOuterDisposeScope(), da.sum([0L]).MoveToOuterDisposeScope(),
                db.sum([1L]).MoveToOuterDisposeScope(), dc.sum([1L]).MoveToOuterDisposeScope(), dskip.sum([0L]).MoveToOuterDisposeScope(),
            ];
        }
    }
}
