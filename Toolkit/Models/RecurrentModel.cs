using Toolkit.Checkpoints;
using Toolkit.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Models;

/// <summary>
/// A causal language model whose memory of a sequence is a state of fixed size: it reads a prompt by a scan over all positions, and every further token from
/// the state alone, at the same cost however long the sequence is. A padded batch may be continued in a state where it is padded on the left.
/// </summary>
public abstract class RecurrentModel : CausalModel
{
    private protected const double Deviation = 0.02;
    private readonly RecurrentConfig _config;
    private readonly IReadOnlyList<StateSlot> _slots;

    private protected RecurrentModel(string name, RecurrentConfig config, IReadOnlyList<StateSlot> slots)
        : base(name) => (_config, _slots) = (config, slots);

    /// <inheritdoc/>
    public sealed override string ModelType => _config.ModelType;

    /// <inheritdoc/>
    public sealed override int VocabularySize => _config.VocabularySize;

    /// <inheritdoc/>
    public sealed override int Width => _config.Width;

    /// <inheritdoc/>
    public sealed override int Layers => _config.Layers;

    /// <summary>No limit: <see cref="int.MaxValue"/>.</summary>
    public sealed override int MaxPositions => int.MaxValue;

    /// <inheritdoc/>
    public sealed override int? BeginTokenId => _config.BeginTokenId;

    /// <inheritdoc/>
    public sealed override IReadOnlyList<int> EndTokenIds => [.. _config.EndTokenIds];

    /// <summary>The head, or null where the embedding table is the head.</summary>
    public abstract Layers.Linear? Head { get; }

    /// <summary>Every linear that a token passes; without a tied head.</summary>
    public IEnumerable<Layers.Linear> Linears => modules().OfType<Layers.Linear>();

    /// <inheritdoc/>
    public sealed override double WeightBytesPerToken =>
        ParameterBytes - (_config.TieEmbeddings ? 0 : (VocabularySize - 1.0) * Width * Embedding.Weight.ElementSize);

    /// <inheritdoc/>
    protected sealed override Tensor HeadWeight => Head?.Weight ?? Embedding.Weight;

    /// <summary>FLOPs of one layer's recurrence for one token.</summary>
    private protected abstract double RecurrenceFlops { get; }

    /// <summary>What checkpoints begin the names of all parameters with but those of the head.</summary>
    private protected abstract string BodyName { get; }

    /// <inheritdoc/>
    public sealed override void LoadWeights(string folder)
    {
        using var checkpoint = Checkpoint.Open(folder);
        Read(checkpoint, map: false);
    }

    /// <inheritdoc/>
    public sealed override void Save(string folder)
    {
        _config.Save(folder);
        Checkpoint.Save(folder, named_parameters().ToDictionary(p => p.name, p => (Tensor)p.parameter));
    }

    /// <inheritdoc/>
    public sealed override DecodeState NewState(int batch, int capacity) =>
        new RecurrentState(_config.Layers, batch, capacity, _slots, Embedding.Weight.dtype, Embedding.Weight.device);

    /// <summary>
    /// FLOPs of one token's forward pass: 2 for every weight of every linear and of the head, and those of the recurrence, which do not depend on the
    /// sequence. Training takes 3 times as many.
    /// </summary>
    public sealed override double FlopsPerToken(int sequenceLength)
    {
        var weights = Linears.Sum(linear => (double)linear.Inputs * linear.Outputs) + (Head is null ? Embedding.Weight.numel() : 0);
        return (2 * weights) + (_config.Layers * RecurrenceFlops);
    }

    /// <summary>A model with the weights of a folder.</summary>
    private protected static T Open<T>(string folder, RecurrentConfig config, Func<T> make, bool map)
        where T : RecurrentModel
    {
        using var checkpoint = Checkpoint.Open(folder);
        ModelWeights.RequireRoom(checkpoint, config.Layers, config.Size);
        var model = make();
        try
        {
            model.Read(checkpoint, map);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    protected sealed override Tensor Hidden(Tensor ids, Tensor? mask, DecodeState? state)
    {
        var own = Own<RecurrentState>(state);
        own?.Require(ids.shape[0], ids.shape[1]);
        var hidden = Hidden(ids, Tokens(ids, mask, own?.Length ?? 0), own);
        own?.Advance(ids.shape[1]);
        return hidden;
    }

    /// <inheritdoc/>
    protected sealed override Tensor HiddenAt(Tensor ids, Tensor position, DecodeState state, int span) => Hidden(ids, null, Own<RecurrentState>(state));

    /// <summary>The hidden states that the head reads.</summary>
    /// <param name="ids">(B, T) of int64.</param>
    /// <param name="tokens">One for a token and zero for padding, (B, T, 1) of the embedding's type; null where nothing is padded.</param>
    /// <param name="state">The state, or null for none before and none after.</param>
    private protected abstract Tensor Hidden(Tensor ids, Tensor? tokens, RecurrentState? state);

    private Tensor? Tokens(Tensor ids, Tensor? mask, int start)
    {
        if (mask is null)
        {
            return null;
        }

        var (batch, time) = (ids.shape[0], ids.shape[1]);
        return mask.shape.AsSpan().SequenceEqual([batch, start + time])
            ? mask.narrow(1, start, time).to(ScalarType.Bool).to(Embedding.Weight.dtype).to(ids.device).unsqueeze(-1)
            : throw new ArgumentException(
                $"the mask has shape ({string.Join(", ", mask.shape)}); {batch} sequences of {start} read and {time} new tokens need ({batch}, {start + time})", nameof(mask));
    }

    private void Read(Checkpoint checkpoint, bool map)
    {
        var body = BodyName + ".";
        ModelWeights.Read(this, checkpoint, OtherNames, name => _config.TieEmbeddings && name is "lm_head.weight" or "head.weight", map);

        // Some files hold the model without its head, and so without the name before it; the first Mamba files call the table otherwise.
        IEnumerable<string> OtherNames(string name)
        {
            if (name.StartsWith(body, StringComparison.Ordinal))
            {
                yield return name[body.Length..];
                yield return name.Replace(".embeddings.", ".embedding.", StringComparison.Ordinal);
            }
        }
    }
}
