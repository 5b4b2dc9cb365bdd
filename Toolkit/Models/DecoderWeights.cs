using Toolkit.Checkpoints;
using TorchSharp;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Toolkit.Models;

/// <summary>How the parameters of a <see cref="Decoder"/> get their values: at random, or from a checkpoint.</summary>
internal static class DecoderWeights
{
    private const double Deviation = 0.02;

    public static void Initialise(Decoder model, long seed)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        using var generator = new Generator((ulong)seed);
        var writers = model.Topology.Where(group => group.WritesResidual).SelectMany(group => group.Linears).Select(linear => linear.parameters().First().Handle).ToHashSet();
        foreach (var (name, parameter) in model.named_parameters())
        {
            if (name.EndsWith(".bias", StringComparison.Ordinal))
            {
                parameter.zero_();
            }
            else if (parameter.dim() == 2)
            {
                parameter.normal_(0, writers.Contains(parameter.Handle) ? Deviation / Math.Sqrt(2.0 * model.Config.Layers) : Deviation, generator);
            }
        }
    }

    /// <summary>
    /// Throws where a checkpoint cannot hold a model of this shape, before memory is taken for one: a file that says less than its configuration
    /// must not cost more than it is worth.
    /// </summary>
    /// <exception cref="CheckpointException">It has too few or too small tensors.</exception>
    public static void RequireRoom(DecoderConfig config, Checkpoint checkpoint)
    {
        var tensors = (long)config.Layers * (config.FeedForwardKind == FeedForwardKind.MixtureOfExperts ? 3L * config.Experts : 4);
        if (checkpoint.Names.Count < tensors)
        {
            throw new CheckpointException($"{checkpoint.Path} holds {checkpoint.Names.Count} tensors, {config.Layers} layers need {tensors} or more");
        }

        var stored = checkpoint.Names.Sum(name => checkpoint.Entry(name).Shape.Aggregate(1.0, (count, extent) => count * extent));
        var needed = Size(config);
        if (stored < needed)
        {
            throw new CheckpointException($"{checkpoint.Path} holds {stored:0} numbers, the configuration asks for {needed:0} or more");
        }
    }

    /// <param name="model">The model.</param>
    /// <param name="checkpoint">The file.</param>
    /// <param name="map">Whether parameters of the file's own type may become views of its map, which takes neither time nor memory.</param>
    /// <exception cref="CheckpointException">A tensor is missing, unexpected or of another shape.</exception>
    public static void Read(Decoder model, Checkpoint checkpoint, bool map)
    {
        var names = DecoderFamilies.Of(model.Config.ModelType).Names(model.Config);
        var body = names.Body + ".";
        ModelWeights.Read(model, checkpoint, OtherNames, name => IsRedundant(model, names, name), map);

        // Some files hold the model without its head and so without the name before it.
        IEnumerable<string> OtherNames(string name) => name.StartsWith(body, StringComparison.Ordinal) ? [name[body.Length..]] : [];
    }

    /// <summary>Older files keep rotary frequencies and causal masks, and some keep a tied head twice: all that is implied.</summary>
    private static bool IsRedundant(Decoder model, DecoderNames names, string name) =>
        name.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal)
        || name.EndsWith($".{names.Block.Attention}.bias", StringComparison.Ordinal)
        || name.EndsWith($".{names.Block.Attention}.masked_bias", StringComparison.Ordinal)
        || (name == names.Head + ".weight" && model.Config.TieEmbeddings);

    /// <summary>Numbers that the matrices of a shape have together.</summary>
    private static double Size(DecoderConfig c)
    {
        var attention = (2.0 * (c.Heads + c.KeyValueHeads)) * c.HeadDimension * c.Width;
        var feedForward = (double)c.Width * c.FeedForwardWidth * c.FeedForwardKind switch
        {
            FeedForwardKind.Plain => 2,
            FeedForwardKind.MixtureOfExperts => 3.0 * c.Experts,
            _ => 3,
        };
        var positions = c.Positions == PositionScheme.Learned ? (double)c.MaxPositions * c.Width : 0;
        return ((double)c.VocabularySize * (c.EmbeddingWidth ?? c.Width) * (c.TieEmbeddings ? 1 : 2)) + positions + (c.Layers * (attention + feedForward));
    }
}
