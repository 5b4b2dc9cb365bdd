namespace Toolkit.Graphs;

/// <summary>
/// Counts calls, so that what they use is freed when its owner has disposed of it and the last of them has ended: a thread that disposes of something does not free it under the feet of another.
/// </summary>
/// <param name="free">Frees it; called once, on the thread that lets go of it last.</param>
internal sealed class CallsUnderWay(Action free)
{
    private int _holders = 1; // the owner is one
    private int _isClosed;

    /// <summary>Whether its owner has disposed of it.</summary>
    public bool IsClosed => Volatile.Read(ref _isClosed) != 0;

    /// <summary>A call begins.</summary>
    /// <returns>Whether it may: not where the owner has disposed of it.</returns>
    public bool TryBegin()
    {
        if (IsClosed)
        {
            return false;
        }

        var holders = Volatile.Read(ref _holders);
        while (holders > 0)
        {
            var before = Interlocked.CompareExchange(ref _holders, holders + 1, holders);
            if (before == holders)
            {
                return true;
            }

            holders = before;
        }

        return false;
    }

    /// <summary>A call ends, however it does.</summary>
    public void End()
    {
        if (Interlocked.Decrement(ref _holders) == 0)
        {
            free();
        }
    }

    /// <summary>The owner disposes of it.</summary>
    public void Close()
    {
        if (Interlocked.Exchange(ref _isClosed, 1) == 0)
        {
            End();
        }
    }
}
