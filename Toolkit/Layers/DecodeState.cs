namespace Toolkit.Layers;

/// <summary>
/// What a model keeps of the positions that it has read, so that the next ones need not be read behind them again: keys and values of every position, or a
/// state that stays as large as it is. Allocated once, written in place, owned by whoever made it.
/// </summary>
public abstract class DecodeState : IDisposable
{
    /// <summary>An empty state.</summary>
    /// <param name="batch">Sequences side by side.</param>
    /// <param name="capacity">The most positions.</param>
    /// <exception cref="ArgumentOutOfRangeException">One of them is not positive.</exception>
    protected DecodeState(int batch, int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(batch);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        (Batch, Capacity) = (batch, capacity);
    }

    /// <summary>Sequences side by side.</summary>
    public int Batch { get; }

    /// <summary>Positions there is room for.</summary>
    public int Capacity { get; }

    /// <summary>Positions read so far.</summary>
    public int Length { get; protected set; }

    /// <summary>Bytes allocated.</summary>
    public abstract long Bytes { get; }

    /// <summary>Bytes that decoding reads where so many positions are in the state.</summary>
    public abstract double BytesAt(int length);

    /// <summary>Forgets every position; the memory stays.</summary>
    public void Reset()
    {
        Length = 0;
        Clear();
    }

    /// <summary>Throws when a batch of this shape does not fit behind what is there.</summary>
    /// <exception cref="InvalidOperationException">The state is for another batch, or is too short.</exception>
    public void Require(long batch, long time)
    {
        if (batch != Batch)
        {
            throw new InvalidOperationException($"the decode state holds {Batch} sequences, the batch has {batch}");
        }

        if (Length + time > Capacity)
        {
            throw new InvalidOperationException($"the decode state has room for {Capacity} positions, {Length} are used, {time} more do not fit");
        }
    }

    /// <summary>Counts positions that every layer has now written.</summary>
    public void Advance(long time) => Length += (int)time;

    /// <summary>Frees the memory.</summary>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    /// <summary>Brings what was written back to where it began.</summary>
    protected abstract void Clear();

    /// <summary>Frees the memory.</summary>
    protected abstract void Free();
}
