using Toolkit.Layers;
using Toolkit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Decoding;

/// <summary>One sequence being decoded: a key-value cache that is allocated once, and the logits after the last token fed.</summary>
/// <remarks>Holds neither a dispose scope nor a gradient mode between calls, so calls may come from different threads, one at a time.</remarks>
public sealed class DecodeSession : IDisposable
{
    private readonly Decoder _model;
    private readonly KvCache _cache;
    private readonly float[] _logits;
    private readonly List<int> _fed = [];

    /// <summary>Starts an empty sequence.</summary>
    /// <param name="model">The model; it stays the caller's.</param>
    /// <param name="capacity">The most tokens that will be fed.</param>
    /// <exception cref="ArgumentOutOfRangeException">The capacity is not from 1 to the model's positions.</exception>
    public DecodeSession(Decoder model, int capacity)
    {
        if (capacity < 1 || capacity > model.Config.MaxPositions)
        {
            throw new ArgumentOutOfRangeException(nameof(capacity), $"A capacity of {capacity} tokens is not from 1 to the model's {model.Config.MaxPositions} positions.");
        }

        _model = model;
        _logits = new float[model.Config.VocabularySize];
        _cache = model.NewCache(1, capacity);
    }

    /// <summary>Tokens fed so far.</summary>
    public int Length => _cache.Length;

    /// <summary>Tokens that fit.</summary>
    public int Capacity => _cache.Capacity;

    /// <summary>Bytes of the key-value cache.</summary>
    public long CacheBytes => _cache.Bytes;

    /// <summary>Logits of the token that follows the last one fed, (V); overwritten by the next call of <see cref="Feed(ReadOnlySpan{int})"/>.</summary>
    public ReadOnlySpan<float> Logits => _logits;

    /// <summary>Runs the model over more tokens: a prompt (prefill) or one token (decode).</summary>
    /// <exception cref="InvalidOperationException">The tokens do not fit; nothing was fed.</exception>
    public void Feed(ReadOnlySpan<int> ids)
    {
        if (ids.Length > Capacity - Length)
        {
            throw new InvalidOperationException($"{ids.Length} more tokens do not fit after {Length} in a session of {Capacity}.");
        }

        if (ids.IsEmpty)
        {
            return;
        }

        var start = Length;
        _fed.RemoveRange(start, _fed.Count - start); // what a call that threw left behind
        _fed.AddRange(ids);
        if (_model.Config.KeepsFrequencies(start, start + ids.Length))
        {
            Forward(ids);
            return;
        }

        // The cache's keys were turned by other angles than they must have from here on.
        _cache.Reset();
        Forward([.. _fed]);
    }

    /// <summary>Forgets all tokens and keeps the memory.</summary>
    public void Reset()
    {
        _cache.Reset();
        _fed.Clear();
    }

    /// <summary>Frees the key-value cache.</summary>
    public void Dispose() => _cache.Dispose();

    private void Forward(ReadOnlySpan<int> ids)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var row = new long[1, ids.Length];
        for (var i = 0; i < ids.Length; i++)
        {
            row[0, i] = ids[i];
        }

        var input = tensor(row, device: _model.Embedding.Weight.device); // (1, T)
        var logits = _model.Forward(input, _cache, lastOnly: true).to(ScalarType.Float32).cpu().contiguous(); // (1, 1, V)
        logits.data<float>().CopyTo(_logits);
    }
}
