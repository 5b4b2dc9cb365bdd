using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Toolkit.Checkpoints;

/// <summary>
/// Runs a block format over the rows of a tensor on libtorch's own threads: those of another pool would compete with libgomp's, which keep spinning after
/// each operator.
/// </summary>
internal static unsafe class BlockKernel
{
    private const long Grain = 1 << 15;

    /// <summary>Writes the numbers of <paramref name="rows"/> rows of blocks.</summary>
    /// <param name="format">What the blocks are.</param>
    /// <param name="blocks">The rows.</param>
    /// <param name="values">The numbers.</param>
    /// <param name="rows">How many rows.</param>
    /// <param name="rowBlocks">Blocks of one row.</param>
    /// <param name="headRows">0 leaves rows where they are; else rows 2i and 2i + 1 of each so many become rows i and i + headRows/2.</param>
    public static void Dequantize(BlockFormat format, byte* blocks, float* values, long rows, long rowBlocks, long headRows) =>
        Run(new Work { Blocks = blocks, Values = values, RowBlocks = rowBlocks, HeadRows = headRows }, format, rows, &DequantizeRows);

    /// <summary>Writes so many blocks of numbers.</summary>
    public static void Quantize(BlockFormat format, float* values, byte* blocks, long count) =>
        Run(new Work { Blocks = blocks, Values = values, RowBlocks = 1 }, format, count, &QuantizeRows);

    private static void Run(Work work, BlockFormat format, long rows, delegate* unmanaged<long, long, void*, void> body)
    {
        if (rows == 0 || work.RowBlocks == 0)
        {
            return;
        }

        var handle = GCHandle.Alloc(format);
        try
        {
            work.Format = GCHandle.ToIntPtr(handle);
            if (torch_parallel_for(0, rows, Math.Max(1, Grain / (work.RowBlocks * format.Layout.BlockLength)), body, &work) != 0)
            {
                throw new InvalidOperationException("a parallel loop of libtorch failed");
            }
        }
        finally
        {
            handle.Free();
        }
    }

    [UnmanagedCallersOnly]
    private static void DequantizeRows(long begin, long end, void* context)
    {
        var work = (Work*)context;
        var format = Unsafe.As<BlockFormat>(GCHandle.FromIntPtr(work->Format).Target!);
        var (bytes, length) = (work->RowBlocks * format.Layout.BlockBytes, work->RowBlocks * format.Layout.BlockLength);
        if (work->HeadRows == 0)
        {
            format.Dequantize(work->Blocks + (begin * bytes), work->Values + (begin * length), (end - begin) * work->RowBlocks);
            return;
        }

        for (var row = begin; row < end; row++)
        {
            format.Dequantize(work->Blocks + (Interleaved(row, work->HeadRows) * bytes), work->Values + (row * length), work->RowBlocks);
        }
    }

    [UnmanagedCallersOnly]
    private static void QuantizeRows(long begin, long end, void* context)
    {
        var work = (Work*)context;
        var format = Unsafe.As<BlockFormat>(GCHandle.FromIntPtr(work->Format).Target!);
        format.Quantize(work->Values + (begin * format.Layout.BlockLength), work->Blocks + (begin * format.Layout.BlockBytes), end - begin);
    }

    /// <summary>Where the row is among pairs that belongs at <paramref name="row"/> among halves.</summary>
    private static long Interleaved(long row, long headRows)
    {
        var (head, at) = Math.DivRem(row, headRows);
        var (side, pair) = Math.DivRem(at, headRows / 2);
        return (head * headRows) + (2 * pair) + side;
    }

    [DllImport("torch_cpu")]
    private static extern int torch_parallel_for(long begin, long end, long grain, delegate* unmanaged<long, long, void*, void> body, void* context);

    private struct Work
    {
        public byte* Blocks;
        public float* Values;
        public long RowBlocks;
        public long HeadRows;
        public nint Format;
    }
}
