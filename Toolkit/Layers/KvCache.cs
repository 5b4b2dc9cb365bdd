using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>Keys and values of the positions already seen: allocated once, written in place, owned by whoever made it.</summary>
public sealed class KvCache : IDisposable
{
    private readonly Tensor _storage; // (2, layers, B, capacity, Hkv, D)
    private readonly Tensor[] _keys;
    private readonly Tensor[] _values;

    /// <summary>An empty cache for <paramref name="batch"/> sequences of at most <paramref name="capacity"/> positions.</summary>
    public KvCache(int layers, int batch, int capacity, int keyValueHeads, int headDimension, ScalarType dtype = ScalarType.Float32, Device? device = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(batch);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        Batch = batch;
        Capacity = capacity;
        using var scope = NewDisposeScope();
        _storage = zeros([2, layers, batch, capacity, keyValueHeads, headDimension], dtype, device).DetachFromDisposeScope();
        _keys = [.. Enumerable.Range(0, layers).Select(i => _storage[0, i].DetachFromDisposeScope())];
        _values = [.. Enumerable.Range(0, layers).Select(i => _storage[1, i].DetachFromDisposeScope())];
    }

    /// <summary>Sequences side by side.</summary>
    public int Batch { get; }

    /// <summary>Positions there is room for.</summary>
    public int Capacity { get; }

    /// <summary>Positions written so far.</summary>
    public int Length { get; private set; }

    /// <summary>Bytes allocated.</summary>
    public long Bytes => _storage.numel() * _storage.ElementSize;

    /// <summary>Bytes that one decoded token reads: the used part.</summary>
    public long UsedBytes => Bytes / Capacity * Length;

    /// <summary>Forgets every position; the memory stays.</summary>
    public void Reset() => Length = 0;

    /// <summary>Forgets the positions from <paramref name="length"/> on (a rejected draft, an edited prompt).</summary>
    public void Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        Length = length;
    }

    /// <summary>Throws when a batch of this shape does not fit behind what is there.</summary>
    /// <exception cref="InvalidOperationException">The cache is for another batch, or is too short.</exception>
    public void Require(long batch, long time)
    {
        if (batch != Batch)
        {
            throw new InvalidOperationException($"the key-value cache holds {Batch} sequences, the batch has {batch}");
        }

        if (Length + time > Capacity)
        {
            throw new InvalidOperationException($"the key-value cache has room for {Capacity} positions, {Length} are used, {time} more do not fit");
        }
    }

    /// <summary>Writes one layer's keys and values (B, T, Hkv, D) behind the used positions and returns all of them, (B, S, Hkv, D).</summary>
    public (Tensor Keys, Tensor Values) Append(int layer, Tensor k, Tensor v)
    {
        var time = k.shape[1];
        _keys[layer].narrow(1, Length, time).copy_(k);
        _values[layer].narrow(1, Length, time).copy_(v);
        return (_keys[layer].narrow(1, 0, Length + time), _values[layer].narrow(1, 0, Length + time));
    }

    /// <summary>Counts positions that every layer has now written.</summary>
    public void Advance(long time) => Length += (int)time;

    /// <summary>Frees the memory.</summary>
    public void Dispose()
    {
        foreach (var view in _keys.Concat(_values))
        {
            view.Dispose();
        }

        _storage.Dispose();
    }
}
