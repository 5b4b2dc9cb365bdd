using System.Runtime.InteropServices;

namespace Toolkit.Graphs.Cpu;

/// <summary>
/// Memory of large results that nobody holds any more, kept for the next ones: new memory comes from the system page by page, which takes longer than to compute what goes there.
/// For all graphs together, as their results come and go in turn; for any thread.
/// </summary>
internal static unsafe class ResultMemory
{
    /// <summary>Bytes from which on memory is kept: what is smaller comes from a heap that has it already.</summary>
    public const long Least = 128L << 10;

    /// <summary>Most bytes that are kept; beyond that, what was given back longest ago goes back to the system.</summary>
    public const long Most = 128L << 20;

    private const long Page = 4096;
    private const int Head = 64; // before each block, on a line of its own: how long it is
    private static readonly Lock _lock = new();
    private static readonly List<nint> _kept = []; // the one given back last at the end
    private static long _keptBytes;

    /// <summary>Bytes that are kept now.</summary>
    public static long KeptBytes
    {
        get
        {
            lock (_lock)
            {
                return _keptBytes;
            }
        }
    }

    /// <summary>A block, kept or new.</summary>
    public static nint Take(long bytes)
    {
        lock (_lock)
        {
            for (var i = _kept.Count - 1; i >= 0; i--)
            {
                // Not one that is much longer: its memory would be lost for what fits it.
                if (Length(_kept[i]) is var length && length >= bytes && length - bytes <= bytes / 4)
                {
                    var block = _kept[i];
                    _kept.RemoveAt(i);
                    _keptBytes -= length;
                    return block;
                }
            }
        }

        var size = (bytes + Page - 1) / Page * Page;
        var address = (nint)NativeMemory.AlignedAlloc((nuint)(size + Head), Head) + Head;
        Length(address) = size;
        LargePages.Want(address, size);
        return address;
    }

    /// <summary>Takes back a block that nobody uses any more.</summary>
    public static void Give(nint block)
    {
        lock (_lock)
        {
            if (Length(block) <= Most)
            {
                _kept.Add(block);
                _keptBytes += Length(block);
                Trim(Most);
                return;
            }
        }

        Free(block);
    }

    /// <summary>Gives what is kept back to the system.</summary>
    public static void Clear()
    {
        lock (_lock)
        {
            Trim(0);
        }
    }

    private static void Trim(long most)
    {
        while (_keptBytes > most)
        {
            _keptBytes -= Length(_kept[0]);
            Free(_kept[0]);
            _kept.RemoveAt(0);
        }
    }

    private static ref long Length(nint block) => ref *(long*)(block - Head);

    private static void Free(nint block) => NativeMemory.AlignedFree((void*)(block - Head));
}
