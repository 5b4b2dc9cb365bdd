using System.Text.Json;
using System.Text.Json.Nodes;

namespace Toolkit.Models;

/// <summary>The shape of a decoder: everything but its weights. Read from and written to Hugging Face's <c>config.json</c>.</summary>
public sealed record DecoderConfig
{
    /// <summary>Name of the file beside the weights.</summary>
    public const string FileName = "config.json";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>The family, as <c>config.json</c> names it.</summary>
    public string ModelType { get; init; } = LlamaFamily.ModelType;

    /// <summary>Token ids that the model knows.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Width of the residual stream.</summary>
    public required int Width { get; init; }

    /// <summary>Blocks.</summary>
    public required int Layers { get; init; }

    /// <summary>Query heads.</summary>
    public required int Heads { get; init; }

    /// <summary>Key and value heads; each serves an equal group of query heads.</summary>
    public required int KeyValueHeads { get; init; }

    /// <summary>Width of one head.</summary>
    public required int HeadDimension { get; init; }

    /// <summary>Inner width of the feed-forward.</summary>
    public required int FeedForwardWidth { get; init; }

    /// <summary>Base of the rotary frequencies.</summary>
    public double RopeTheta { get; init; } = 10000.0;

    /// <summary>ε of the norms.</summary>
    public double NormEpsilon { get; init; } = 1e-6;

    /// <summary>Positions the model was made for.</summary>
    public int MaxPositions { get; init; } = 2048;

    /// <summary>Whether the head is the embedding table.</summary>
    public bool TieEmbeddings { get; init; }

    /// <summary>Whether the attention's linears have a bias.</summary>
    public bool AttentionBias { get; init; }

    /// <summary>Whether the feed-forward's linears have a bias.</summary>
    public bool FeedForwardBias { get; init; }

    /// <summary>Id that begins a text, if the model has one.</summary>
    public int? BeginTokenId { get; init; }

    /// <summary>Id that ends a text, if the model has one.</summary>
    public int? EndTokenId { get; init; }

    /// <summary>Query heads that share a key-value head.</summary>
    public int GroupSize => Heads / KeyValueHeads;

    /// <summary>A Llama. Where not given, heads divide the width and the feed-forward is 8/3 of it, rounded up to a multiple of 32.</summary>
    /// <exception cref="ArgumentException">The numbers do not fit together.</exception>
    public static DecoderConfig Llama(
        int layers, int width, int heads, int keyValueHeads, int vocabularySize, int? headDimension = null, int? feedForwardWidth = null,
        double ropeTheta = 10000.0, double normEpsilon = 1e-6, int maxPositions = 2048, bool tieEmbeddings = false)
    {
        if (headDimension is null && heads > 0 && width % heads != 0)
        {
            throw new ArgumentException($"width {width} is not a multiple of heads {heads}; give a head dimension");
        }

        return new DecoderConfig
        {
            VocabularySize = vocabularySize,
            Width = width,
            Layers = layers,
            Heads = heads,
            KeyValueHeads = keyValueHeads,
            HeadDimension = headDimension ?? width / Math.Max(heads, 1),
            FeedForwardWidth = feedForwardWidth ?? ((width * 8 / 3) + 31) / 32 * 32,
            RopeTheta = ropeTheta,
            NormEpsilon = normEpsilon,
            MaxPositions = maxPositions,
            TieEmbeddings = tieEmbeddings,
        }.Validated();
    }

    /// <summary>Reads <c>config.json</c> from a folder.</summary>
    /// <exception cref="NotSupportedException">A family or an option that the toolkit does not have.</exception>
    /// <exception cref="InvalidDataException">The file is not a configuration.</exception>
    public static DecoderConfig Load(string folder)
    {
        var path = Path.Combine(folder, FileName);
        try
        {
            return FromJson(JsonNode.Parse(File.ReadAllText(path)) as JsonObject ?? throw new JsonException("not an object"));
        }
        catch (Exception problem) when (problem is JsonException or ArgumentException or InvalidOperationException or FormatException)
        {
            throw new InvalidDataException($"{path}: {problem.Message}", problem);
        }
    }

    /// <summary>Writes <c>config.json</c> into a folder.</summary>
    public void Save(string folder)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, FileName), ToJson().ToJsonString(Indented));
    }

    /// <summary>The configuration that <c>config.json</c> holds.</summary>
    /// <exception cref="NotSupportedException">A family or an option that the toolkit does not have.</exception>
    public static DecoderConfig FromJson(JsonObject json)
    {
        var family = (string?)json["model_type"];
        return family switch
        {
            LlamaFamily.ModelType => LlamaFamily.Read(json).Validated(),
            null => throw new NotSupportedException("config.json names no model_type; known: llama"),
            _ => throw new NotSupportedException($"model_type '{family}' is not supported; known: llama"),
        };
    }

    /// <summary>What <c>config.json</c> holds.</summary>
    public JsonObject ToJson() => LlamaFamily.Write(this);

    /// <summary>This configuration, checked.</summary>
    /// <exception cref="ArgumentException">The numbers do not fit together.</exception>
    public DecoderConfig Validated()
    {
        foreach (var (name, value) in new[]
                 {
                     ("vocabulary size", VocabularySize), ("width", Width), ("layers", Layers), ("heads", Heads), ("key-value heads", KeyValueHeads),
                     ("head dimension", HeadDimension), ("feed-forward width", FeedForwardWidth), ("max positions", MaxPositions),
                 })
        {
            if (value <= 0)
            {
                throw new ArgumentException($"{name} {value} is not positive");
            }
        }

        if (Heads % KeyValueHeads != 0)
        {
            throw new ArgumentException($"heads {Heads} is not a multiple of key-value heads {KeyValueHeads}");
        }

        if (HeadDimension % 2 != 0)
        {
            throw new ArgumentException($"head dimension {HeadDimension} is odd: rotary embedding turns pairs");
        }

        return this;
    }
}
