using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using static TorchSharp.torch;

namespace Toolkit.Ops;

/// <summary>The gated activation <c>silu(gate) · up</c> (Shazeer, 2020).</summary>
public static class SwiGlu
{
    /// <summary>The plain definition; both inputs have the shape of the result.</summary>
    public static Tensor Reference(Tensor gate, Tensor up) => nn.functional.silu(gate).mul(up);

    /// <summary>The same in one pass over memory for float32 on the CPU; elsewhere the reference.</summary>
    [GraphOperator("toolkit::swiglu")]
    public static Tensor Apply(Tensor gate, Tensor up)
    {
        if (!CpuKernel.Fits(gate, up) || gate.numel() % Vector256<float>.Count != 0)
        {
            return Reference(gate, up);
        }

        return is_grad_enabled() && (gate.requires_grad || up.requires_grad) ? Fused.apply(gate, up) : Forward(gate, up);
    }

    private static unsafe Tensor Forward(Tensor gate, Tensor up)
    {
        var y = empty_like(gate);
        var arguments = new Arguments { Gate = CpuKernel.Pointer(gate), Up = CpuKernel.Pointer(up), Y = CpuKernel.Pointer(y) };
        CpuKernel.Run(gate.numel() / Vector256<float>.Count, 2048, &ForwardVectors, &arguments);
        GC.KeepAlive(gate);
        GC.KeepAlive(up);
        return y;
    }

    [UnmanagedCallersOnly]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static unsafe void ForwardVectors(long begin, long end, void* context)
    {
        var a = (Arguments*)context;
        for (var i = begin * Vector256<float>.Count; i < end * Vector256<float>.Count; i += Vector256<float>.Count)
        {
            var gate = Vector256.Load(a->Gate + i);
            (gate * Vector256.Load(a->Up + i) / (Vector256<float>.One + Vector256.Exp(-gate))).Store(a->Y + i);
        }
    }

    /// <summary>With s = sigmoid(gate): dup = g·gate·s, dgate = g·up·s·(1 + gate·(1 - s)).</summary>
    [UnmanagedCallersOnly]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static unsafe void BackwardVectors(long begin, long end, void* context)
    {
        var a = (Arguments*)context;
        var one = Vector256<float>.One;
        for (var i = begin * Vector256<float>.Count; i < end * Vector256<float>.Count; i += Vector256<float>.Count)
        {
            var gate = Vector256.Load(a->Gate + i);
            var sigmoid = one / (one + Vector256.Exp(-gate));
            var scaled = Vector256.Load(a->Y + i) * sigmoid;
            (scaled * gate).Store(a->UpGradient + i);
            (scaled * Vector256.Load(a->Up + i) * (one + (gate * (one - sigmoid)))).Store(a->GateGradient + i);
        }
    }

    private unsafe struct Arguments
    {
        public float* Gate;
        public float* Up;
        public float* Y;
        public float* GateGradient;
        public float* UpGradient;
    }

    private sealed class Fused : autograd.SingleTensorFunction<Fused>
    {
        public override string Name => nameof(SwiGlu);

        public override Tensor forward(autograd.AutogradContext context, params object[] vars)
        {
            context.save_for_backward([(Tensor)vars[0], (Tensor)vars[1]]);
            return Forward((Tensor)vars[0], (Tensor)vars[1]);
        }

        public override unsafe List<Tensor> backward(autograd.AutogradContext context, Tensor gradient)
        {
            using var scope = NewDisposeScope();
            var saved = context.get_saved_variables();
            gradient = gradient.contiguous();
            var (gate, up) = (empty_like(gradient), empty_like(gradient));
            var arguments = new Arguments
            {
                Gate = CpuKernel.Pointer(saved[0]),
                Up = CpuKernel.Pointer(saved[1]),
                Y = CpuKernel.Pointer(gradient),
                GateGradient = CpuKernel.Pointer(gate),
                UpGradient = CpuKernel.Pointer(up),
            };
            CpuKernel.Run(gradient.numel() / Vector256<float>.Count, 2048, &BackwardVectors, &arguments);
            return [gate.MoveToOuterDisposeScope(), up.MoveToOuterDisposeScope()];
        }
    }
}
