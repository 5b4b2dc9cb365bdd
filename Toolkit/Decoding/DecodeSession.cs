using Toolkit.Graphs;
using Toolkit.Layers;
using Toolkit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Decoding;

/// <summary>One sequence being decoded: a state (a key-value cache, in most models) that is allocated once, and the logits after the last token fed.</summary>
/// <remarks>Holds neither a dispose scope nor a gradient mode between calls, so calls may come from different threads, one at a time.</remarks>
public sealed class DecodeSession : IDisposable
{
    private readonly CausalModel _model;
    private readonly DecodeState _state;
    private readonly CompiledDecoder? _compiled;
    private readonly RentedState? _rented;
    private readonly float[] _logits;
    private readonly List<int> _fed = [];

    /// <summary>Starts an empty sequence.</summary>
    /// <param name="model">The model; it stays the caller's.</param>
    /// <param name="capacity">The most tokens that will be fed.</param>
    /// <param name="compiled">The model's compiled decode step, which tokens that come alone go through; null: everything runs as it is.</param>
    /// <exception cref="ArgumentOutOfRangeException">The capacity is not from 1 to the model's positions.</exception>
    /// <exception cref="ArgumentException">The compiled step is another model's.</exception>
    public DecodeSession(CausalModel model, int capacity, CompiledDecoder? compiled = null)
    {
        if (compiled is not null && !ReferenceEquals(compiled.Model, model))
        {
            throw new ArgumentException($"the compiled decode step is that of another model ({compiled.Model})", nameof(compiled));
        }

        if (capacity < 1 || capacity > model.MaxPositions)
        {
            throw new ArgumentOutOfRangeException(nameof(capacity), $"A capacity of {capacity} tokens is not from 1 to the model's {model.MaxPositions} positions.");
        }

        _model = model;
        _logits = new float[model.VocabularySize];
        Capacity = capacity;
        _compiled = compiled;
        _rented = compiled?.Rent(1, capacity);
        _state = _rented?.State ?? model.NewState(1, capacity);
    }

    /// <summary>Tokens fed so far.</summary>
    public int Length => _state.Length;

    /// <summary>Tokens that fit.</summary>
    public int Capacity { get; }

    /// <summary>Bytes of the state.</summary>
    public long StateBytes => _state.Bytes;

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

        Interruption.ThrowIfRequested();

        var start = Length;
        _fed.RemoveRange(start, _fed.Count - start); // what a call that threw left behind
        _fed.AddRange(ids);
        if (_model.CanContinue(start, start + ids.Length))
        {
            Forward(ids);
            return;
        }

        // What the state holds does not fit what follows (keys turned by other angles).
        _state.Reset();
        Forward([.. _fed]);
    }

    /// <summary>Bytes of the state that decoding a token reads behind so many others.</summary>
    public double StateBytesAt(int length) => _state.BytesAt(length);

    /// <summary>Forgets all tokens and keeps the memory.</summary>
    public void Reset()
    {
        _state.Reset();
        _fed.Clear();
    }

    /// <summary>Frees the state, or gives it back.</summary>
    public void Dispose()
    {
        if (_rented is null)
        {
            _state.Dispose();
        }
        else
        {
            _rented.Dispose();
        }
    }

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
        var logits = (_compiled is not null && ids.Length == 1 ? _compiled.Step(input, _state) : _model.Forward(input, _state, lastOnly: true)).to(ScalarType.Float32).cpu().contiguous(); // (1, 1, V)
        logits.data<float>().CopyTo(_logits);
    }
}
