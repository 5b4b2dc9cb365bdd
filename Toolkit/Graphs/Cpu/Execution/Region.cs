using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Toolkit.Graphs.Cpu;

/// <summary>
/// Kernels that run one after another, or beside one another, without going back to the caller: libtorch's threads enter once and take pieces of each phase as they come. Between two
/// phases they wait for each other, spinning; a thread that comes late finds less to do, and one alone can do everything, so nothing depends on how many there really are.
/// </summary>
internal static unsafe class Region
{
    /// <summary>Runs a region on the threads of libtorch.</summary>
    public static void Run(RegionData* region, int threads)
    {
        new Span<Counter>(region->Counters, region->PhaseCount).Clear();
        LibTorchCalls.Parallel(threads, &Enter, region);
    }

    /// <summary>Runs a region on this thread.</summary>
    public static void RunHere(RegionData* region)
    {
        for (var phase = region->Phases; phase < region->Phases + region->PhaseCount; phase++)
        {
            for (var step = phase->Steps; step < phase->Steps + phase->StepCount; step++)
            {
                step->Kernel(0, step->Units, step->Arguments, region->Scratch);
            }
        }
    }

    [UnmanagedCallersOnly]
    private static void Enter(long begin, long end, void* context)
    {
        for (var thread = begin; thread < end; thread++)
        {
            Work((RegionData*)context, thread);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Work(RegionData* region, long thread)
    {
        var scratch = region->Scratch + (thread * region->ScratchBytes);
        for (var i = 0; i < region->PhaseCount; i++)
        {
            var phase = region->Phases + i;
            var counter = region->Counters + i;
            var done = 0L;
            long piece;
            while (Volatile.Read(ref counter->Next) < phase->Pieces && (piece = Interlocked.Increment(ref counter->Next) - 1) < phase->Pieces)
            {
                var step = phase->Steps;
                while (piece >= step->Pieces)
                {
                    piece -= step->Pieces;
                    step++;
                }

                step->Kernel(step->Begin(piece), step->Begin(piece + 1), step->Arguments, scratch);
                done++;
            }

            if (done > 0)
            {
                Interlocked.Add(ref counter->Done, done);
            }

            Wait(counter, phase->Pieces);
        }
    }

    private static void Wait(Counter* counter, long pieces)
    {
        for (var i = 0; Volatile.Read(ref counter->Done) < pieces; i++)
        {
            // Whoever works for longer than some microseconds may have lost its core to somebody else.
            if (i < 300)
            {
                Thread.SpinWait(1);
            }
            else
            {
                Thread.Yield();
            }
        }
    }
}

/// <summary>What threads in a region see; in native memory.</summary>
internal unsafe struct RegionData
{
    public PhaseData* Phases;
    public Counter* Counters;
    public byte* Scratch;
    public long ScratchBytes;
    public int PhaseCount;
}

/// <summary>Kernels that need nothing of each other.</summary>
internal unsafe struct PhaseData
{
    public StepData* Steps;
    public long StepCount;
    public long Pieces;
}

/// <summary>A call of a kernel.</summary>
internal unsafe struct StepData
{
    public delegate* managed<long, long, byte**, byte*, void> Kernel;
    public byte** Arguments;
    public long Units;
    public long Pieces;

    /// <summary>Whether the pieces become smaller towards the end, so that nobody waits long for who took the last one.</summary>
    public bool IsTapered;

    /// <summary>The unit at which a piece begins.</summary>
    public readonly long Begin(long piece)
    {
        var left = Pieces - piece;
        return IsTapered ? Units - (left * left * Units / (Pieces * Pieces)) : piece * Units / Pieces;
    }
}

/// <summary>Pieces of a phase given out, and done: on cache lines of their own.</summary>
[StructLayout(LayoutKind.Explicit, Size = 256)]
internal struct Counter
{
    [FieldOffset(64)]
    public long Next;

    [FieldOffset(192)]
    public long Done;
}
