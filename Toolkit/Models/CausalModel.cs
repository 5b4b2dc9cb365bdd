using Toolkit.Checkpoints;
using Toolkit.Layers;
using Toolkit.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Models;

/// <summary>
/// A causal language model of any kind: token ids to logits, with attention (<see cref="Decoder"/>) or with a state. What decodes, trains, evaluates and
/// measures needs no more of a model than this.
/// </summary>
public abstract class CausalModel : nn.Module<Tensor, Tensor>
{
    /// <summary>Says clearly why libtorch is not there, before TorchSharp's own first use of it would fail.</summary>
    protected CausalModel(string name)
        : base(WithLibTorch(name))
    {
    }

    /// <summary>The family, as <c>config.json</c> names it.</summary>
    public abstract string ModelType { get; }

    /// <summary>Token ids that the model knows.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>Width of the residual stream.</summary>
    public abstract int Width { get; }

    /// <summary>Blocks.</summary>
    public abstract int Layers { get; }

    /// <summary>The most positions of a sequence; <see cref="int.MaxValue"/> where a model of states has no limit.</summary>
    public abstract int MaxPositions { get; }

    /// <summary>Id that begins a text, if the model has one.</summary>
    public abstract int? BeginTokenId { get; }

    /// <summary>Ids that end a text.</summary>
    public abstract IReadOnlyList<int> EndTokenIds { get; }

    /// <summary>The embedding table, (vocabulary, width).</summary>
    public abstract Embedding Embedding { get; }

    /// <summary>Learned numbers.</summary>
    public long ParameterCount => parameters().Sum(p => p.numel());

    /// <summary>Bytes of the learned numbers.</summary>
    public long ParameterBytes => parameters().Sum(p => p.numel() * p.ElementSize);

    /// <summary>Bytes of the weights that one decoded token reads: all but table rows that it does not look up and experts that it does not pass.</summary>
    public abstract double WeightBytesPerToken { get; }

    /// <summary>The matrix that makes logits, (vocabulary, width): the embedding table where the two are tied.</summary>
    protected abstract Tensor HeadWeight { get; }

    /// <summary>What logits are kept below, or null.</summary>
    protected virtual double? LogitSoftCap => null;

    /// <summary>Reads the configuration and the weights of a folder or of a GGUF file, of whatever family it is.</summary>
    /// <param name="folder">A Hugging Face model folder, or a file named *.gguf.</param>
    /// <param name="dtype">Type to hold the weights in; default: float32.</param>
    /// <param name="map">Whether weights that the file has in this type become views of its memory map: see <see cref="Decoder.Load"/>.</param>
    /// <exception cref="NotSupportedException">A family or an option that the toolkit does not have.</exception>
    /// <exception cref="InvalidDataException"><c>config.json</c> is not a configuration.</exception>
    /// <exception cref="CheckpointException">A tensor is missing, unexpected or of another shape.</exception>
    public static CausalModel Load(string folder, ScalarType? dtype = null, bool map = false) =>
        Directory.Exists(folder) && ModelFamilies.OfFolder(folder) is { } open ? open(folder, dtype, map) : Decoder.Load(folder, dtype, map);

    /// <summary>Gives this model the weights of a folder, converted to its own type.</summary>
    /// <exception cref="CheckpointException">A tensor is missing, unexpected or of another shape.</exception>
    public abstract void LoadWeights(string folder);

    /// <summary>Writes <c>config.json</c> and <c>model.safetensors</c>; a tied head is not written.</summary>
    public abstract void Save(string folder);

    /// <summary>An empty state of this model's shape.</summary>
    /// <param name="batch">Sequences side by side.</param>
    /// <param name="capacity">The most positions.</param>
    public abstract DecodeState NewState(int batch, int capacity);

    /// <summary>
    /// Whether a sequence in a state may grow from so many positions to so many. Where it may not, the state must be emptied and the whole sequence
    /// be fed again.
    /// </summary>
    public virtual bool CanContinue(int from, int to) => true;

    /// <summary>FLOPs of one token's forward pass in a sequence of this length. Training takes 3 times as many.</summary>
    public abstract double FlopsPerToken(int sequenceLength);

    /// <summary>(B, T) of int64 to logits (B, T, V).</summary>
    public sealed override Tensor forward(Tensor ids)
    {
        using var scope = NewDisposeScope();
        return Logits(Hidden(ids, null, null)).MoveToOuterDisposeScope();
    }

    /// <summary>Logits of T more positions behind those in the state, which is written; no gradient is recorded.</summary>
    /// <param name="ids">(B, T) of int64.</param>
    /// <param name="state">The positions before these, or null.</param>
    /// <param name="lastOnly">Whether only the last position's logits (B, 1, V) are wanted.</param>
    /// <exception cref="ArgumentException">The state is another kind of model's.</exception>
    /// <exception cref="InvalidOperationException">The state is too short or for another batch, or the sequence is longer than the model can read.</exception>
    public Tensor Forward(Tensor ids, DecodeState? state, bool lastOnly = false) => Forward(ids, null, state, lastOnly);

    /// <summary>
    /// The same for sequences of different lengths that are padded to one, on the left or on the right: each gets the logits that it would get alone.
    /// </summary>
    /// <param name="ids">(B, T) of int64; padding may be any id.</param>
    /// <param name="mask">(B, S), of bool or int64, over the state's positions and these: 1 for a token, 0 for padding. Null where nothing is padded.</param>
    /// <param name="state">The positions before these, or null.</param>
    /// <param name="lastOnly">Whether only the last position's logits (B, 1, V) are wanted.</param>
    /// <returns>(B, T, V); where the input is padding, numbers that mean nothing.</returns>
    /// <exception cref="ArgumentException">The mask has another shape, or the state is another kind of model's.</exception>
    /// <exception cref="InvalidOperationException">The state is too short or for another batch, or the sequence is longer than the model can read.</exception>
    public Tensor Forward(Tensor ids, Tensor? mask, DecodeState? state, bool lastOnly = false)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var hidden = Hidden(ids, mask, state); // (B, T, width)
        return Logits(lastOnly && ids.shape[1] > 1 ? hidden.narrow(1, ids.shape[1] - 1, 1) : hidden).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Logits of one more token of each sequence, at a position that is data: the operations are the same at every position, which lets them be captured once. The state's length is neither
    /// looked at nor counted: see <see cref="DecodeState.Advance"/>.
    /// </summary>
    /// <param name="ids">(B, 1) of int64.</param>
    /// <param name="position">(1) of int64: positions in the state before these; less than <paramref name="span"/>.</param>
    /// <param name="state">The positions before; this one is written.</param>
    /// <param name="span">How many positions of the state are looked at.</param>
    /// <returns>(B, 1, V).</returns>
    public Tensor ForwardAt(Tensor ids, Tensor position, DecodeState state, int span)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        return Logits(HiddenAt(ids, position, state, span)).MoveToOuterDisposeScope();
    }

    /// <summary>Whether <see cref="ForwardAt"/> computes what <see cref="Forward(Tensor, DecodeState?, bool)"/> does for a token behind so many, when it looks at so many positions.</summary>
    public virtual bool CanForwardAt(int length, int span) => true;

    /// <summary>Mean cross-entropy, in nats a token, of the targets: what training minimises.</summary>
    /// <param name="ids">(B, T) of int64.</param>
    /// <param name="targets">(B, T) of int64: the token after each.</param>
    /// <returns>A scalar with a gradient.</returns>
    public Tensor Loss(Tensor ids, Tensor targets)
    {
        using var scope = NewDisposeScope();
        var hidden = Hidden(ids, null, null); // (B, T, width)
        var flat = hidden.view(-1, hidden.shape[^1]);
        var loss = LogitSoftCap is null
            ? Ops.CrossEntropy.OfHead(flat, HeadWeight, targets.reshape(-1))
            : Ops.CrossEntropy.Reference(Logits(flat), targets.reshape(-1));
        return loss.MoveToOuterDisposeScope();
    }

    /// <summary>One line: family, shape and size.</summary>
    public sealed override string ToString() =>
        $"{ModelType} of {Layers} {(Layers == 1 ? "layer" : "layers")}, width {Width}, vocabulary {VocabularySize}: {ParameterCount / 1e6:0.##} M parameters";

    /// <summary>A model of this shape whose weights are not yet set to anything.</summary>
    public abstract CausalModel EmptyCopy(ScalarType dtype);

    /// <summary>(B, T) of int64 to what the head reads, (B, T, width); with a state, behind its positions.</summary>
    protected abstract Tensor Hidden(Tensor ids, Tensor? mask, DecodeState? state);

    /// <summary>The same for one token of each sequence, (B, 1), at a position that is data.</summary>
    protected abstract Tensor HiddenAt(Tensor ids, Tensor position, DecodeState state, int span);

    /// <summary>The state as this model's kind.</summary>
    /// <exception cref="ArgumentException">It is another model's.</exception>
    protected static T? Own<T>(DecodeState? state)
        where T : DecodeState =>
        state is null or T ? (T?)state : throw new ArgumentException($"the state is a {state.GetType().Name}, this model's is a {typeof(T).Name}", nameof(state));

    private static string WithLibTorch(string name)
    {
        LibTorch.Load();
        return name;
    }

    private Tensor Logits(Tensor hidden)
    {
        var logits = nn.functional.linear(hidden, HeadWeight);
        return LogitSoftCap is { } cap ? Ops.Attention.SoftCap(logits, cap) : logits;
    }
}
