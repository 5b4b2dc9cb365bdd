using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>
/// What the attention of all layers shares in one call of a model: where the tokens stand, what each may see, and the cache. Lives as long as the
/// dispose scope of the call.
/// </summary>
public sealed class AttentionContext
{
    private readonly Dictionary<long, Tensor> _masks = [];
    private readonly Tensor? _seen;
    private readonly Device _device;

    /// <summary>The context of T tokens behind those in the cache.</summary>
    /// <param name="ids">(B, T) of int64.</param>
    /// <param name="seen">(B, S), of bool or int64, over the cache's positions and these: not zero for a token, zero for padding. Null where nothing is padded.</param>
    /// <param name="cache">The positions before these, or null.</param>
    /// <exception cref="ArgumentException">The mask has another shape.</exception>
    /// <exception cref="InvalidOperationException">The cache is too short or for another batch.</exception>
    public AttentionContext(Tensor ids, Tensor? seen, KvCache? cache)
    {
        cache?.Require(ids.shape[0], ids.shape[1]);
        (Time, Start, Cache, _device) = (ids.shape[1], cache?.Length ?? 0, cache, ids.device);
        if (seen is null)
        {
            return;
        }

        if (!seen.shape.AsSpan().SequenceEqual([ids.shape[0], Length]))
        {
            throw new ArgumentException(
                $"the mask has shape ({string.Join(", ", seen.shape)}); {ids.shape[0]} sequences of {Start} cached and {Time} new tokens need ({ids.shape[0]}, {Length})", nameof(seen));
        }

        _seen = seen.to(ScalarType.Bool).to(_device);
        Counts = _seen.to(ScalarType.Int64).cumsum(1).sub(Ops.Scalars.One).clamp(Ops.Scalars.Zero); // (B, S)
        Positions = Counts.narrow(1, Start, Time);
    }

    /// <summary>
    /// The context of one token of each sequence whose position is data, not a number of the program: the operations are the same at every position, so that a graph of them serves all.
    /// What is not written yet is masked, and so is nothing but time.
    /// </summary>
    /// <param name="ids">(B, 1) of int64.</param>
    /// <param name="position">(1) of int64: where the tokens stand; less than <paramref name="span"/>.</param>
    /// <param name="span">How many of the cache's positions are looked at, from the first on.</param>
    /// <param name="cache">Keys and values of the positions before, and room for this one.</param>
    public AttentionContext(Tensor ids, Tensor position, long span, KvCache cache)
    {
        (Time, Start, Cache, _device, Position) = (1, span - 1, cache, ids.device, position);
        Positions = position.view(1, 1).expand(ids.shape[0], 1);
    }

    /// <summary>T: tokens of this call.</summary>
    public long Time { get; }

    /// <summary>Positions in the cache before them.</summary>
    public long Start { get; }

    /// <summary>S: the cache's positions and these.</summary>
    public long Length => Start + Time;

    /// <summary>The keys and values before these, or null.</summary>
    public KvCache? Cache { get; }

    /// <summary>(B, T) of int64: the position of every token in its own sequence; null where it is the same for all: from <see cref="Start"/> on.</summary>
    public Tensor? Positions { get; }

    /// <summary>(1) of int64: the position of the one token of this call where it is data; null where <see cref="Start"/> tells it.</summary>
    public Tensor? Position { get; }

    /// <summary>Cosines of the tokens' angles, where positions are rotary.</summary>
    public Tensor? Cos { get; private set; }

    /// <summary>Sines of the same.</summary>
    public Tensor? Sin { get; private set; }

    /// <summary>Numbers that a key's position adds to the scores, (1 or B, H, 1, S), where positions are linear biases.</summary>
    public Tensor? Bias { get; private set; }

    /// <summary>(B, S) of int64: positions of all tokens so far, padding ones 0; null where nothing is padded.</summary>
    private Tensor? Counts { get; }

    /// <summary>Takes the angles from a table.</summary>
    public void Rotate(RotaryTable table, ScalarType dtype) =>
        (Cos, Sin) = Positions is null ? table.Rows(Start, Time, dtype, _device) : table.Rows(Positions, Length, dtype);

    /// <summary>Adds the linear biases of heads.</summary>
    /// <param name="slopes">(H): what a head adds for every position.</param>
    /// <param name="dtype">Type of the scores.</param>
    /// <param name="narrow">Whether slope and bias are rounded to bfloat16, which Falcon was trained with.</param>
    /// <param name="scale">What the biases are multiplied by.</param>
    public void AddLinearBiases(Tensor slopes, ScalarType dtype, bool narrow = false, double scale = 1)
    {
        var type = narrow ? ScalarType.BFloat16 : ScalarType.Float32;
        var positions = Counts ?? Places().unsqueeze(0); // (1 or B, S)
        using var factor = scale.ToScalar();
        var bias = slopes.to(type).view(1, -1, 1, 1).mul(positions.to(type).view(positions.shape[0], 1, 1, Length));
        Bias = bias.to(ScalarType.Float32).mul(factor).to(dtype);
    }

    /// <summary>
    /// What the queries of this call see of the last <paramref name="keys"/> positions, for <see cref="Ops.Attention"/>; null where that is simply all
    /// up to their own. A padding position sees itself, so that no row of scores is empty.
    /// </summary>
    /// <param name="window">The last positions that a query sees, or null for all.</param>
    /// <param name="keys">How many keys are passed to the attention.</param>
    public Tensor? Mask(long? window, long keys)
    {
        var width = window is { } w && w < Length ? w : Length;
        if (_seen is null && Position is null && Bias is null && (width == Length || Time == 1))
        {
            return null;
        }

        if (!_masks.TryGetValue(width, out var mask))
        {
            _masks[width] = mask = Build(width);
        }

        return keys == Length ? mask : mask.narrow(-1, Length - keys, keys);
    }

    private Tensor Build(long width)
    {
        if (Position is not null)
        {
            return BuildAt(Position, width);
        }

        if (_seen is null && Time == 1 && width == Length)
        {
            return Bias!;
        }

        var visible = Ops.Attention.CausalMask(Time, Length, _device, width); // (T, S)
        if (_seen is not null)
        {
            var self = ones([Time, Length], ScalarType.Bool, _device).tril(Start).triu(Start);
            visible = visible.logical_and(_seen.view(-1, 1, 1, Length).logical_or(self)); // (B, 1, T, S)
        }

        return Bias is null ? visible : Bias.masked_fill(visible.logical_not(), Ops.Scalars.MinusInfinity);
    }

    private Tensor Places()
    {
        using var end = Length.ToScalar();
        return arange(Ops.Scalars.Zero, end, Ops.Scalars.One, ScalarType.Int64, _device);
    }

    /// <summary>(1, 1, 1, S): what one token sees of the positions up to its own.</summary>
    private Tensor BuildAt(Tensor position, long width)
    {
        var all = Places(); // (S)
        var visible = all.le(position);
        if (width < Length)
        {
            using var window = width.ToScalar();
            visible = visible.logical_and(all.gt(position.sub(window)));
        }

        visible = visible.view(1, 1, 1, Length);
        return Bias is null ? visible : Bias.masked_fill(visible.logical_not(), Ops.Scalars.MinusInfinity);
    }
}
