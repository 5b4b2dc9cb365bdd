using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Toolkit.Ops;

/// <summary>Root mean square normalisation, <c>y = x / sqrt(mean(x²) + ε) · w</c> over the last dimension (Zhang and Sennrich, 2019).</summary>
public static class RmsNorm
{
    /// <summary>The plain definition. Statistics are taken in float32, as Hugging Face does, or in float64 where that is given.</summary>
    /// <param name="x">(..., D).</param>
    /// <param name="weight">(D).</param>
    /// <param name="epsilon">ε.</param>
    public static Tensor Reference(Tensor x, Tensor weight, double epsilon)
    {
        using var small = epsilon.ToScalar();
        var isWide = x.dtype is ScalarType.Float32 or ScalarType.Float64;
        var wide = isWide ? x : x.to(ScalarType.Float32);
        var inverse = wide.mul(wide).mean([-1], keepdim: true).add(small, Scalars.One).rsqrt();
        var normalised = wide.mul(inverse);
        return weight.mul(isWide ? normalised : normalised.to(x.dtype));
    }

    /// <summary>The same in one pass over memory for float32 on the CPU; elsewhere the reference.</summary>
    /// <inheritdoc cref="Reference"/>
    [GraphOperator("toolkit::rms_norm")]
    public static Tensor Apply(Tensor x, Tensor weight, double epsilon)
    {
        if (!CpuKernel.Fits(x, weight))
        {
            return Reference(x, weight, epsilon);
        }

        return is_grad_enabled() && (x.requires_grad || weight.requires_grad) ? Fused.apply(x, weight, epsilon) : Forward(x, weight, epsilon, null);
    }

    private static unsafe Tensor Forward(Tensor x, Tensor weight, double epsilon, Tensor? inverse)
    {
        var y = empty_like(x);
        var arguments = new Arguments
        {
            X = CpuKernel.Pointer(x),
            W = CpuKernel.Pointer(weight),
            Y = CpuKernel.Pointer(y),
            Inverse = inverse is null ? null : CpuKernel.Pointer(inverse),
            Width = (int)weight.numel(),
            Epsilon = (float)epsilon,
        };
        CpuKernel.Run(x.numel() / arguments.Width, 64, &ForwardRows, &arguments);
        GC.KeepAlive(x);
        return y;
    }

    [UnmanagedCallersOnly]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static unsafe void ForwardRows(long begin, long end, void* context)
    {
        var a = (Arguments*)context;
        var weight = new ReadOnlySpan<float>(a->W, a->Width);
        for (var row = begin; row < end; row++)
        {
            var x = new ReadOnlySpan<float>(a->X + (row * a->Width), a->Width);
            var y = new Span<float>(a->Y + (row * a->Width), a->Width);
            var inverse = 1 / MathF.Sqrt((TensorPrimitives.SumOfSquares(x) / a->Width) + a->Epsilon);
            TensorPrimitives.Multiply(x, inverse, y);
            TensorPrimitives.Multiply(y, weight, y);
            if (a->Inverse != null)
            {
                a->Inverse[row] = inverse;
            }
        }
    }

    /// <summary>With x̂ = x·r and h = g·w: dx = r·(h - x̂·mean(h·x̂)), dw = Σ g·x̂. A slab of rows has its own sum, so the result does not depend on threads.</summary>
    [UnmanagedCallersOnly]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static unsafe void BackwardSlabs(long begin, long end, void* context)
    {
        var a = (Arguments*)context;
        var width = a->Width;
        var weight = new ReadOnlySpan<float>(a->W, width);
        for (var slab = begin; slab < end; slab++)
        {
            var sum = new Span<float>(a->WeightGradient + (slab * width), width);
            for (var row = a->Rows * slab / Fused.Slabs; row < a->Rows * (slab + 1) / Fused.Slabs; row++)
            {
                var x = new ReadOnlySpan<float>(a->X + (row * width), width);
                var g = new ReadOnlySpan<float>(a->Y + (row * width), width);
                var dx = new Span<float>(a->Gradient + (row * width), width);
                var inverse = a->Inverse[row];
                TensorPrimitives.Multiply(g, x, dx);
                TensorPrimitives.MultiplyAdd(dx, inverse, sum, sum);
                var shared = -TensorPrimitives.Dot(dx, weight) * inverse * inverse * inverse / width;
                TensorPrimitives.Multiply(g, weight, dx);
                TensorPrimitives.Multiply(dx, inverse, dx);
                TensorPrimitives.MultiplyAdd(x, shared, dx, dx);
            }
        }
    }

    private unsafe struct Arguments
    {
        public float* X;
        public float* W;
        public float* Y;
        public float* Inverse;
        public float* Gradient;
        public float* WeightGradient;
        public long Rows;
        public int Width;
        public float Epsilon;
    }

    private sealed class Fused : autograd.SingleTensorFunction<Fused>
    {
        public const int Slabs = 16;

        public override string Name => nameof(RmsNorm);

        public override Tensor forward(autograd.AutogradContext context, params object[] vars)
        {
            var (x, weight) = ((Tensor)vars[0], (Tensor)vars[1]);
            var inverse = empty(x.numel() / weight.numel());
            context.save_for_backward([x, weight, inverse]);
            return Forward(x, weight, (double)vars[2], inverse);
        }

        public override unsafe List<Tensor> backward(autograd.AutogradContext context, Tensor gradient)
        {
            using var scope = NewDisposeScope();
            var saved = context.get_saved_variables();
            var (x, weight, inverse) = (saved[0], saved[1], saved[2]);
            gradient = gradient.contiguous();
            var dx = empty_like(x);
            var sums = zeros(Slabs, weight.numel());
            var arguments = new Arguments
            {
                X = CpuKernel.Pointer(x),
                W = CpuKernel.Pointer(weight),
                Y = CpuKernel.Pointer(gradient),
                Inverse = CpuKernel.Pointer(inverse),
                Gradient = CpuKernel.Pointer(dx),
                WeightGradient = CpuKernel.Pointer(sums),
                Rows = inverse.numel(),
                Width = (int)weight.numel(),
            };
            CpuKernel.Run(Slabs, 1, &BackwardSlabs, &arguments);
            return [dx.MoveToOuterDisposeScope(), sums.sum([0L]).MoveToOuterDisposeScope(), null!];
        }
    }
}
