using System.Text.Json.Nodes;
using Toolkit.Layers;

namespace Toolkit.Models;

/// <summary>The shape of an <see cref="Rwkv"/>.</summary>
public sealed record RwkvConfig : RecurrentConfig
{
    /// <summary>What <c>model_type</c> says.</summary>
    public const string Family = "rwkv";

    /// <inheritdoc/>
    public override string ModelType => Family;

    /// <summary>Channels of the time mixing.</summary>
    public required int AttentionWidth { get; init; }

    /// <summary>Inner width of the channel mixing.</summary>
    public required int FeedForwardWidth { get; init; }

    /// <summary>Positions that the model was trained on; longer texts are read all the same.</summary>
    public int ContextLength { get; init; } = 1024;

    /// <summary>After how many blocks the residual stream is halved, and all that is later added to it; 0 for never. Only ε sees the difference.</summary>
    public int RescaleEvery { get; init; } = 6;

    internal override double Size => ((double)VocabularySize * Width) + ((double)Layers * Width * ((4.0 * AttentionWidth) + (2.0 * FeedForwardWidth) + Width));

    /// <summary>An RWKV-4 whose channel mixing is four times as wide as it is.</summary>
    /// <exception cref="ArgumentException">A number is not positive.</exception>
    public static RwkvConfig Create(int layers, int width, int vocabularySize, int? feedForwardWidth = null) => new RwkvConfig
    {
        VocabularySize = vocabularySize,
        Width = width,
        Layers = layers,
        AttentionWidth = width,
        FeedForwardWidth = feedForwardWidth ?? (4 * width),
    }.Validated();

    /// <summary>Reads <c>config.json</c> from a folder. What it leaves out has the value that Hugging Face's transformers gives it.</summary>
    /// <exception cref="NotSupportedException">An option that the toolkit does not have.</exception>
    /// <exception cref="InvalidDataException">The file is no configuration of this family.</exception>
    public static RwkvConfig Load(string folder) => ConfigFile.Read(folder, Read);

    /// <summary>This configuration, checked.</summary>
    /// <exception cref="ArgumentException">A number is not positive.</exception>
    public RwkvConfig Validated()
    {
        RequirePositive(
            ("vocabulary size", VocabularySize), ("width", Width), ("layers", Layers), ("attention width", AttentionWidth), ("feed-forward width", FeedForwardWidth),
            ("context length", ContextLength));
        return this;
    }

    internal static RwkvConfig Read(ConfigReader file)
    {
        var width = file.Int(4096, "hidden_size");
        return new RwkvConfig
        {
            VocabularySize = file.Int(50277, "vocab_size"),
            Width = width,
            Layers = file.Int(32, "num_hidden_layers"),
            NormEpsilon = file.Number("layer_norm_epsilon", 1e-5),
            TieEmbeddings = file.Flag("tie_word_embeddings", false),
            BeginTokenId = First(file.Ids("bos_token_id", 0)),
            EndTokenIds = new(file.Ids("eos_token_id", 0)),
            AttentionWidth = file.Int(width, "attention_hidden_size"),
            FeedForwardWidth = file.OptionalInt("intermediate_size") ?? (width <= int.MaxValue / 4 ? 4 * width : throw new InvalidDataException($"width {width} is too large")),
            ContextLength = file.Int(1024, "max_position_embeddings", "context_length"),
            RescaleEvery = Math.Max(file.Int(6, "rescale_every"), 0),
        }.Validated();
    }

    private protected override void Fill(JsonObject json)
    {
        json["architectures"] = new JsonArray("RwkvForCausalLM");
        json["attention_hidden_size"] = AttentionWidth;
        json["intermediate_size"] = FeedForwardWidth;
        json["context_length"] = ContextLength;
        json["rescale_every"] = RescaleEvery;
    }
}
