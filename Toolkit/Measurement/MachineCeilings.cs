using System.Diagnostics;
using System.Numerics;
using System.Runtime.InteropServices;
using Toolkit.Native;
using Toolkit.Ops;
using TorchSharp;
using SystemMemory = System.Runtime.InteropServices.NativeMemory;

namespace Toolkit.Measurement;

/// <summary>Measures what this machine can do at most. Both figures are the best of several tries: a ceiling is what was ever reached.</summary>
public static unsafe class MachineCeilings
{
    private const long ReadBytes = 256L << 20;
    private const int ReadTries = 8;
    private static readonly int[] _matMulSizes = [1024, 1536, 2048];
    private static readonly Lock _lock = new();
    private static MachineCeiling? _measured;

    /// <summary>The ceilings, measured at the first call (about two seconds) and remembered for the life of the process.</summary>
    /// <param name="refresh">Measure again.</param>
    /// <exception cref="LibTorchException">libtorch cannot be loaded.</exception>
    public static MachineCeiling Measure(bool refresh = false)
    {
        lock (_lock)
        {
            if (_measured is null || refresh)
            {
                LibTorch.Load();
                _measured = new MachineCeiling(MeasureRead(), MeasureMatMul(), torch.get_num_threads());
            }

            return _measured;
        }
    }

    /// <summary>Every thread of libtorch sums its part of 256 MB, far more than caches hold.</summary>
    private static double MeasureRead()
    {
        var memory = SystemMemory.AlignedAlloc((nuint)ReadBytes, 64);
        try
        {
            new Span<byte>(memory, checked((int)ReadBytes)).Fill(1);
            var read = new Part { Start = (byte*)memory, Sum = 0 };
            var best = TimeSpan.MaxValue;
            for (var i = 0; i < ReadTries; i++)
            {
                var start = Stopwatch.GetTimestamp();
                CpuKernel.Run(ReadBytes / Part.Block, 1, &Sum, &read);
                var taken = Stopwatch.GetElapsedTime(start);
                best = taken < best ? taken : best;
            }

            return read.Sum == 0 ? throw new InvalidOperationException("the bandwidth test read nothing") : ReadBytes / best.TotalSeconds;
        }
        finally
        {
            SystemMemory.AlignedFree(memory);
        }
    }

    [UnmanagedCallersOnly]
    private static void Sum(long begin, long end, void* context)
    {
        var part = (Part*)context;
        var first = (long*)(part->Start + (begin * Part.Block));
        var last = (long*)(part->Start + (end * Part.Block));
        var (a, b, c, d) = (Vector<long>.Zero, Vector<long>.Zero, Vector<long>.Zero, Vector<long>.Zero);
        var width = Vector<long>.Count;
        for (var p = first; p < last; p += 4 * width)
        {
            a += *(Vector<long>*)p;
            b += *(Vector<long>*)(p + width);
            c += *(Vector<long>*)(p + (2 * width));
            d += *(Vector<long>*)(p + (3 * width));
        }

        Interlocked.Add(ref part->Sum, Vector.Sum(a + b + c + d));
    }

    private static double MeasureMatMul()
    {
        using var noGradient = torch.no_grad();
        var best = 0.0;
        foreach (var size in _matMulSizes)
        {
            using var scope = torch.NewDisposeScope();
            var (a, b, product) = (torch.ones(size, size), torch.ones(size, size), torch.empty(size, size));
            CpuKernel.Multiply(product, a, b);
            for (var i = 0; i < 8; i++)
            {
                var start = Stopwatch.GetTimestamp();
                CpuKernel.Multiply(product, a, b);
                best = Math.Max(best, 2.0 * size * size * size / Stopwatch.GetElapsedTime(start).TotalSeconds);
            }
        }

        return best;
    }

    private struct Part
    {
        /// <summary>Bytes that one thread gets at least; a multiple of four vectors of any width.</summary>
        public const long Block = 1 << 20;

        public byte* Start;
        public long Sum;
    }
}
