using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using static TorchSharp.torch;

namespace Toolkit.Ops;

/// <summary>Rotary position embedding (Su et al., 2021) in Hugging Face's convention: dimension i turns together with dimension i + R/2, where R dimensions turn.</summary>
public static class RotaryEmbedding
{
    /// <summary>The plain definition.</summary>
    /// <param name="x">(B, T, H, D).</param>
    /// <param name="cos">(T, 1, R/2) or (B, T, 1, R/2): cosine of every angle. Dimensions from R on stay as they are.</param>
    /// <param name="sin">Of the same shape: sine of every angle.</param>
    public static Tensor Reference(Tensor x, Tensor cos, Tensor sin)
    {
        var half = cos.shape[^1];
        var a = x.narrow(-1, 0, half);
        var b = x.narrow(-1, half, half);
        var (first, second) = (a.mul(cos).sub(b.mul(sin)), b.mul(cos).add(a.mul(sin), Scalars.One));
        var rest = x.shape[^1] - (2 * half);
        return rest == 0 ? cat([first, second], -1) : cat([first, second, x.narrow(-1, 2 * half, rest)], -1);
    }

    /// <summary>The same in one pass over memory for float32 on the CPU; elsewhere the reference.</summary>
    /// <inheritdoc cref="Reference"/>
    [GraphOperator("toolkit::rotary")]
    public static Tensor Apply(Tensor x, Tensor cos, Tensor sin)
    {
        if (!CpuKernel.Fits(x, cos, sin) || x.shape[3] % (2 * Vector256<float>.Count) != 0 || x.shape[3] != 2 * cos.shape[^1])
        {
            return Reference(x, cos, sin);
        }

        return is_grad_enabled() && x.requires_grad ? Fused.apply(x, cos, sin) : Turn(x, cos, sin, 1);
    }

    private static unsafe Tensor Turn(Tensor x, Tensor cos, Tensor sin, float direction)
    {
        var y = empty_like(x);
        var shape = x.shape;
        var arguments = new Arguments
        {
            X = CpuKernel.Pointer(x),
            Cos = CpuKernel.Pointer(cos),
            Sin = CpuKernel.Pointer(sin),
            Y = CpuKernel.Pointer(y),
            Rows = cos.numel() / (shape[3] / 2),
            Heads = shape[2],
            Half = shape[3] / 2,
            Direction = direction,
        };
        CpuKernel.Run(shape[0] * shape[1], 64, &TurnPositions, &arguments);
        GC.KeepAlive(x);
        GC.KeepAlive(cos);
        GC.KeepAlive(sin);
        return y;
    }

    [UnmanagedCallersOnly]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static unsafe void TurnPositions(long begin, long end, void* context)
    {
        var r = (Arguments*)context;
        var direction = Vector256.Create(r->Direction);
        for (var position = begin; position < end; position++)
        {
            var cos = r->Cos + (position % r->Rows * r->Half);
            var sin = r->Sin + (position % r->Rows * r->Half);
            for (var head = position * r->Heads; head < (position + 1) * r->Heads; head++)
            {
                var x = r->X + (head * 2 * r->Half);
                var y = r->Y + (head * 2 * r->Half);
                for (var i = 0L; i < r->Half; i += Vector256<float>.Count)
                {
                    var (c, s) = (Vector256.Load(cos + i), Vector256.Load(sin + i) * direction);
                    var (a, b) = (Vector256.Load(x + i), Vector256.Load(x + r->Half + i));
                    ((a * c) - (b * s)).Store(y + i);
                    ((b * c) + (a * s)).Store(y + r->Half + i);
                }
            }
        }
    }

    private unsafe struct Arguments
    {
        public float* X;
        public float* Cos;
        public float* Sin;
        public float* Y;
        public long Rows;
        public long Heads;
        public long Half;
        public float Direction;
    }

    private sealed class Fused : autograd.SingleTensorFunction<Fused>
    {
        public override string Name => nameof(RotaryEmbedding);

        public override Tensor forward(autograd.AutogradContext context, params object[] vars)
        {
            context.save_for_backward([(Tensor)vars[1], (Tensor)vars[2]]);
            return Turn((Tensor)vars[0], (Tensor)vars[1], (Tensor)vars[2], 1);
        }

        public override List<Tensor> backward(autograd.AutogradContext context, Tensor gradient)
        {
            // The inverse of a rotation is the rotation back.
            using var scope = NewDisposeScope();
            var saved = context.get_saved_variables();
            return [Turn(gradient.contiguous(), saved[0], saved[1], -1).MoveToOuterDisposeScope(), null!, null!];
        }
    }
}
