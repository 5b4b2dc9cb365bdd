using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Toolkit.Ops;

/// <summary>Mean negative log likelihood, in nats, of the target ids.</summary>
public static class CrossEntropy
{
    private const long ChunkRows = 512;

    /// <summary>The plain definition.</summary>
    /// <param name="logits">(N, V).</param>
    /// <param name="targets">(N) of int64.</param>
    /// <returns>A scalar.</returns>
    public static Tensor Reference(Tensor logits, Tensor targets)
    {
        var wide = logits.dtype == ScalarType.Float32 ? logits : logits.to(ScalarType.Float32);
        return nn.functional.cross_entropy(wide, targets);
    }

    /// <summary>
    /// The head and its loss together: logits exist for <see cref="ChunkRows"/> rows at a time, and their gradients are taken while they do
    /// (the idea of Liger Kernel, Hsu et al., 2024). For float32 on the CPU; elsewhere the reference.
    /// </summary>
    /// <param name="hidden">(N, D).</param>
    /// <param name="weight">(V, D).</param>
    /// <param name="targets">(N) of int64.</param>
    /// <returns>A scalar.</returns>
    [GraphOperator("toolkit::cross_entropy_of_head")]
    public static Tensor OfHead(Tensor hidden, Tensor weight, Tensor targets)
    {
        if (!CpuKernel.Fits(hidden, weight) || !targets.is_contiguous())
        {
            return Reference(nn.functional.linear(hidden, weight), targets);
        }

        return is_grad_enabled() && (hidden.requires_grad || weight.requires_grad)
            ? Fused.apply(hidden, weight, targets)
            : Chunks(hidden, weight, targets, null, null);
    }

    private static unsafe Tensor Chunks(Tensor hidden, Tensor weight, Tensor targets, Tensor? hiddenGradient, Tensor? weightGradient)
    {
        var rows = hidden.shape[0];
        var logits = empty(Math.Min(ChunkRows, rows), weight.shape[0]);
        var transposed = weight.t();
        var losses = stackalloc double[(int)ChunkRows];
        var total = 0.0;
        for (long start = 0; start < rows; start += ChunkRows)
        {
            using var scope = NewDisposeScope();
            var count = Math.Min(ChunkRows, rows - start);
            var chunk = logits.narrow(0, 0, count);
            var inputs = hidden.narrow(0, start, count);
            CpuKernel.Multiply(chunk, inputs, transposed);
            var arguments = new Arguments
            {
                Logits = CpuKernel.Pointer(chunk),
                Targets = (long*)CpuKernel.Pointer(targets) + start,
                Losses = losses,
                Vocabulary = (int)weight.shape[0],
                Scale = hiddenGradient is null ? 0 : 1f / rows,
            };
            CpuKernel.Run(count, 16, &Rows, &arguments);
            total += TensorPrimitives.Sum(new ReadOnlySpan<double>(losses, (int)count));
            if (hiddenGradient is not null)
            {
                CpuKernel.Multiply(hiddenGradient.narrow(0, start, count), chunk, weight);
                CpuKernel.MultiplyAdd(weightGradient!, chunk.t(), inputs);
            }
        }

        GC.KeepAlive(targets);
        logits.Dispose();
        transposed.Dispose();
        return tensor((float)(total / rows));
    }

    /// <summary>Logits become their gradient, (softmax - one-hot)·scale, in place; a target outside the vocabulary gives a loss that is not a number.</summary>
    [UnmanagedCallersOnly]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static unsafe void Rows(long begin, long end, void* context)
    {
        var a = (Arguments*)context;
        for (var row = begin; row < end; row++)
        {
            var logits = new Span<float>(a->Logits + (row * a->Vocabulary), a->Vocabulary);
            var target = a->Targets[row];
            if ((ulong)target >= (ulong)a->Vocabulary)
            {
                a->Losses[row] = double.NaN;
                continue;
            }

            var picked = logits[(int)target];
            var most = TensorPrimitives.Max(logits);
            TensorPrimitives.Subtract(logits, most, logits);
            TensorPrimitives.Exp(logits, logits);
            var sum = TensorPrimitives.Sum(logits);
            a->Losses[row] = Math.Log(sum) + most - picked;
            if (a->Scale != 0)
            {
                TensorPrimitives.Multiply(logits, a->Scale / sum, logits);
                logits[(int)target] -= a->Scale;
            }
        }
    }

    private unsafe struct Arguments
    {
        public float* Logits;
        public long* Targets;
        public double* Losses;
        public int Vocabulary;
        public float Scale;
    }

    private sealed class Fused : autograd.SingleTensorFunction<Fused>
    {
        public override string Name => nameof(CrossEntropy);

        public override Tensor forward(autograd.AutogradContext context, params object[] vars)
        {
            var (hidden, weight, targets) = ((Tensor)vars[0], (Tensor)vars[1], (Tensor)vars[2]);
            using var noGradient = no_grad();
            var (hiddenGradient, weightGradient) = (empty_like(hidden), zeros_like(weight));
            var loss = Chunks(hidden, weight, targets, hiddenGradient, weightGradient);
            context.save_for_backward([hiddenGradient, weightGradient]);
            return loss;
        }

        public override List<Tensor> backward(autograd.AutogradContext context, Tensor gradient)
        {
            using var scope = NewDisposeScope();
            var saved = context.get_saved_variables();
            return [saved[0].mul(gradient).MoveToOuterDisposeScope(), saved[1].mul(gradient).MoveToOuterDisposeScope(), null!];
        }
    }
}
