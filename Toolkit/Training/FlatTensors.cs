using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Toolkit.Ops;
using TorchSharp;
using static TorchSharp.torch;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Toolkit.Training;

/// <summary>
/// One zeroed tensor for each of a list of tensors, of the same shape, all in one allocation: what concerns all of them (zeroing, norm,
/// scaling) is one operation.
/// </summary>
internal sealed class FlatTensors : IDisposable
{
    // 64 bytes of float32: views begin at cache lines, where vector code is as fast as in an allocation of its own.
    private const long Alignment = 16;
    private const long SlabLength = 1 << 15;

    public FlatTensors(IReadOnlyList<Tensor> like, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var offsets = new long[like.Count + 1];
        for (var i = 0; i < like.Count; i++)
        {
            offsets[i + 1] = offsets[i] + ((like[i].numel() + Alignment - 1) / Alignment * Alignment);
        }

        Flat = zeros([offsets[^1]], dtype, like[0].device).DetachFromDisposeScope();
        Views = [.. like.Select((tensor, i) => Flat.narrow(0, offsets[i], tensor.numel()).view(tensor.shape).DetachFromDisposeScope())];
    }

    /// <summary>All values, with zeros between the views.</summary>
    public Tensor Flat { get; }

    /// <summary>The tensors.</summary>
    public Tensor[] Views { get; }

    public long Bytes => Flat.numel() * Flat.ElementSize;

    public void Zero() => Flat.zero_();

    public void Scale(double factor)
    {
        using var scalar = factor.ToScalar();
        Flat.mul_(scalar);
        GC.KeepAlive(scalar);
    }

    /// <summary>Their common L2 norm. On the CPU slabs of fixed length are summed in a fixed order: it does not depend on threads.</summary>
    public unsafe double Norm()
    {
        if (!CpuKernel.Fits(Flat))
        {
            using var scope = NewDisposeScope();
            return Flat.dot(Flat).sqrt().item<float>();
        }

        var sums = new double[(Flat.numel() + SlabLength - 1) / SlabLength];
        fixed (double* pointer = sums)
        {
            var arguments = new Arguments { Values = CpuKernel.Pointer(Flat), Count = Flat.numel(), Sums = pointer };
            CpuKernel.Run(sums.Length, 1, &SquareSlabs, &arguments);
        }

        GC.KeepAlive(this);
        return Math.Sqrt(TensorPrimitives.Sum<double>(sums));
    }

    public void Dispose()
    {
        foreach (var view in Views)
        {
            view.Dispose();
        }

        Flat.Dispose();
    }

    [UnmanagedCallersOnly]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static unsafe void SquareSlabs(long begin, long end, void* context)
    {
        var a = (Arguments*)context;
        for (var slab = begin; slab < end; slab++)
        {
            var start = slab * SlabLength;
            a->Sums[slab] = TensorPrimitives.SumOfSquares(new ReadOnlySpan<float>(a->Values + start, (int)Math.Min(SlabLength, a->Count - start)));
        }
    }

    private unsafe struct Arguments
    {
        public float* Values;
        public long Count;
        public double* Sums;
    }
}
