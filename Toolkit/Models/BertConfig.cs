using System.Text.Json.Nodes;
using Toolkit.Ops;

namespace Toolkit.Models;

/// <summary>The shape of a <see cref="Bert"/>.</summary>
public sealed record BertConfig
{
    /// <summary>What <c>model_type</c> says.</summary>
    public const string Family = "bert";

    /// <summary>Token ids that the model knows.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Width of the hidden states.</summary>
    public required int Width { get; init; }

    /// <summary>Blocks.</summary>
    public required int Layers { get; init; }

    /// <summary>Heads.</summary>
    public required int Heads { get; init; }

    /// <summary>Inner width of the feed-forward.</summary>
    public required int FeedForwardWidth { get; init; }

    /// <summary>The feed-forward's nonlinearity.</summary>
    public Activation Activation { get; init; } = Activation.Gelu;

    /// <summary>ε of the norms.</summary>
    public double NormEpsilon { get; init; } = 1e-12;

    /// <summary>The most positions of a text.</summary>
    public int MaxPositions { get; init; } = 512;

    /// <summary>Types of tokens: the first text, the second.</summary>
    public int TokenTypes { get; init; } = 2;

    /// <summary>Id that fills up shorter texts of a batch.</summary>
    public int PadTokenId { get; init; }

    internal double Size =>
        (((double)VocabularySize + MaxPositions + TokenTypes) * Width) + (Layers * Width * ((4.0 * Width) + (2.0 * FeedForwardWidth)));

    /// <summary>Reads <c>config.json</c> from a folder. What it leaves out has the value that Hugging Face's transformers gives it.</summary>
    /// <exception cref="NotSupportedException">Another family, or an option that the toolkit does not have.</exception>
    /// <exception cref="InvalidDataException">The file is no configuration, or the numbers do not fit together.</exception>
    public static BertConfig Load(string folder) => ConfigFile.Read(folder, Read);

    /// <summary>Whether a folder's <c>config.json</c> names this family.</summary>
    /// <exception cref="InvalidDataException">The file is no configuration.</exception>
    public static bool IsIn(string folder) => ConfigFile.Read(folder, file => file.IsText("model_type", Family));

    /// <summary>This configuration, checked.</summary>
    /// <exception cref="ArgumentException">The numbers do not fit together.</exception>
    public BertConfig Validated()
    {
        foreach (var (name, value) in new[]
                 {
                     ("vocabulary size", VocabularySize), ("width", Width), ("layers", Layers), ("heads", Heads), ("feed-forward width", FeedForwardWidth),
                     ("max positions", MaxPositions), ("token types", TokenTypes),
                 })
        {
            if (value <= 0)
            {
                throw new ArgumentException($"{name} {value} is not positive");
            }
        }

        return Width % Heads == 0 ? this : throw new ArgumentException($"width {Width} is not a multiple of heads {Heads}");
    }

    /// <summary>What <c>config.json</c> holds.</summary>
    public JsonObject ToJson() => new()
    {
        ["architectures"] = new JsonArray("BertModel"),
        ["model_type"] = Family,
        ["vocab_size"] = VocabularySize,
        ["hidden_size"] = Width,
        ["num_hidden_layers"] = Layers,
        ["num_attention_heads"] = Heads,
        ["intermediate_size"] = FeedForwardWidth,
        ["hidden_act"] = Activation == Activation.Gelu ? "gelu" : DecoderFamily.NameOf(Activation),
        ["layer_norm_eps"] = NormEpsilon,
        ["max_position_embeddings"] = MaxPositions,
        ["type_vocab_size"] = TokenTypes,
        ["pad_token_id"] = PadTokenId,
    };

    /// <summary>Writes <c>config.json</c> into a folder.</summary>
    public void Save(string folder) => ConfigFile.Write(folder, ToJson());

    private static BertConfig Read(ConfigReader file)
    {
        if (!file.IsText("model_type", Family))
        {
            throw new NotSupportedException($"model_type '{file.OptionalText("model_type")}' is no encoder that is supported; known: {Family}");
        }

        file.Require("is_decoder", false);
        file.Require("add_cross_attention", false);
        if (file.Text("position_embedding_type", "absolute") is var positions && positions != "absolute")
        {
            throw new NotSupportedException($"position_embedding_type '{positions}' is not supported; known: absolute");
        }

        return new BertConfig
        {
            VocabularySize = file.Int(30522, "vocab_size"),
            Width = file.Int(768, "hidden_size"),
            Layers = file.Int(12, "num_hidden_layers"),
            Heads = file.Int(12, "num_attention_heads"),
            FeedForwardWidth = file.Int(3072, "intermediate_size"),
            Activation = DecoderFamily.ReadActivation(file, "hidden_act", "gelu"),
            NormEpsilon = file.Number("layer_norm_eps", 1e-12),
            MaxPositions = file.Int(512, "max_position_embeddings"),
            TokenTypes = file.Int(2, "type_vocab_size"),
            PadTokenId = file.Int(0, "pad_token_id"),
        }.Validated();
    }
}
