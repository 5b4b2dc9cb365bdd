using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>Keys and values of the positions already seen: allocated once, written in place, owned by whoever made it.</summary>
public sealed class KvCache : DecodeState
{
    private readonly Tensor _storage; // (2, layers, B, capacity, Hkv, D)
    private readonly Tensor[] _keys;
    private readonly Tensor[] _values;

    /// <summary>An empty cache for <paramref name="batch"/> sequences of at most <paramref name="capacity"/> positions.</summary>
    public KvCache(int layers, int batch, int capacity, int keyValueHeads, int headDimension, ScalarType dtype = ScalarType.Float32, Device? device = null)
        : base(batch, capacity)
    {
        using var scope = NewDisposeScope();
        _storage = zeros([2, layers, batch, capacity, keyValueHeads, headDimension], dtype, device).DetachFromDisposeScope();
        _keys = [.. Enumerable.Range(0, layers).Select(i => _storage[0, i].DetachFromDisposeScope())];
        _values = [.. Enumerable.Range(0, layers).Select(i => _storage[1, i].DetachFromDisposeScope())];
    }

    /// <inheritdoc/>
    public override long Bytes => _storage.numel() * _storage.ElementSize;

    /// <inheritdoc/>
    public override double BytesAt(int length) => (double)Bytes / Capacity * length;

    /// <summary>Forgets the positions from <paramref name="length"/> on (a rejected draft, an edited prompt).</summary>
    public void Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        Length = length;
    }

    /// <summary>Writes one layer's keys and values (B, T, Hkv, D) behind the used positions and returns all of them, (B, S, Hkv, D).</summary>
    public (Tensor Keys, Tensor Values) Append(int layer, Tensor k, Tensor v)
    {
        var time = k.shape[1];
        _keys[layer].narrow(1, Length, time).copy_(k);
        _values[layer].narrow(1, Length, time).copy_(v);
        return (_keys[layer].narrow(1, 0, Length + time), _values[layer].narrow(1, 0, Length + time));
    }

    /// <summary>
    /// Writes one layer's keys and values of one position (B, 1, Hkv, D) where a tensor says, and returns the first <paramref name="span"/> positions, (B, span, Hkv, D), of which those
    /// behind that position mean nothing.
    /// </summary>
    /// <param name="layer">The layer.</param>
    /// <param name="k">Keys.</param>
    /// <param name="v">Values.</param>
    /// <param name="position">(1) of int64, less than <paramref name="span"/>.</param>
    /// <param name="span">Positions that are returned.</param>
    public (Tensor Keys, Tensor Values) Put(int layer, Tensor k, Tensor v, Tensor position, long span)
    {
        _keys[layer].index_copy_(1, position, k);
        _values[layer].index_copy_(1, position, v);
        return (_keys[layer].narrow(1, 0, span), _values[layer].narrow(1, 0, span));
    }

    /// <summary>Nothing: positions behind <see cref="DecodeState.Length"/> are never read.</summary>
    protected override void Clear()
    {
    }

    /// <inheritdoc/>
    protected override void Free()
    {
        foreach (var view in _keys.Concat(_values))
        {
            view.Dispose();
        }

        _storage.Dispose();
    }
}
