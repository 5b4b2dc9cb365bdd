using System.Text.Json;
using System.Text.Json.Nodes;

namespace Toolkit.Models;

/// <summary>Llama: how Hugging Face's <c>config.json</c> of that family maps to a <see cref="DecoderConfig"/>.</summary>
public static class LlamaFamily
{
    /// <summary>What <c>model_type</c> says.</summary>
    public const string ModelType = "llama";

    private static readonly JsonSerializerOptions SnakeCase = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>Reads the family's options; what the file leaves out has the value that Hugging Face gives it.</summary>
    /// <exception cref="NotSupportedException">An option that changes the mathematics in a way the toolkit does not have.</exception>
    public static DecoderConfig Read(JsonObject json)
    {
        var file = json.Deserialize<Options>(SnakeCase)!;
        if (file.HiddenAct != "silu")
        {
            throw new NotSupportedException($"hidden_act '{file.HiddenAct}' is not supported; known: silu");
        }

        if (file.PretrainingTp != 1)
        {
            throw new NotSupportedException($"pretraining_tp {file.PretrainingTp} is not supported; known: 1");
        }

        var rope = file.RopeParameters ?? file.RopeScaling;
        var ropeType = rope?.RopeType ?? rope?.Type ?? "default";
        if (ropeType != "default")
        {
            throw new NotSupportedException($"rope_type '{ropeType}' is not supported; known: default");
        }

        return new DecoderConfig
        {
            VocabularySize = file.VocabSize,
            Width = file.HiddenSize,
            Layers = file.NumHiddenLayers,
            Heads = file.NumAttentionHeads,
            KeyValueHeads = file.NumKeyValueHeads ?? file.NumAttentionHeads,
            HeadDimension = file.HeadDim ?? file.HiddenSize / Math.Max(file.NumAttentionHeads, 1),
            FeedForwardWidth = file.IntermediateSize,
            RopeTheta = rope?.RopeTheta ?? file.RopeTheta ?? 10000.0,
            NormEpsilon = file.RmsNormEps,
            MaxPositions = file.MaxPositionEmbeddings,
            TieEmbeddings = file.TieWordEmbeddings,
            AttentionBias = file.AttentionBias,
            FeedForwardBias = file.MlpBias,
            BeginTokenId = FirstId(file.BosTokenId),
            EndTokenId = FirstId(file.EosTokenId),
        };
    }

    /// <summary>The file of a configuration.</summary>
    public static JsonObject Write(DecoderConfig config)
    {
        var json = (JsonObject)JsonSerializer.SerializeToNode(
            new Options
            {
                VocabSize = config.VocabularySize,
                HiddenSize = config.Width,
                NumHiddenLayers = config.Layers,
                NumAttentionHeads = config.Heads,
                NumKeyValueHeads = config.KeyValueHeads,
                HeadDim = config.HeadDimension,
                IntermediateSize = config.FeedForwardWidth,
                RmsNormEps = config.NormEpsilon,
                MaxPositionEmbeddings = config.MaxPositions,
                TieWordEmbeddings = config.TieEmbeddings,
                AttentionBias = config.AttentionBias,
                MlpBias = config.FeedForwardBias,
                RopeParameters = new Rope { RopeType = "default", RopeTheta = config.RopeTheta },
                RopeTheta = config.RopeTheta, // where transformers before 5 looks
                BosTokenId = config.BeginTokenId is { } begin ? JsonSerializer.SerializeToElement(begin) : null,
                EosTokenId = config.EndTokenId is { } end ? JsonSerializer.SerializeToElement(end) : null,
            },
            SnakeCase)!;
        foreach (var absent in json.Where(p => p.Value is null && p.Key is not ("bos_token_id" or "eos_token_id")).Select(p => p.Key).ToArray())
        {
            json.Remove(absent);
        }

        var rope = (JsonObject)json["rope_parameters"]!;
        rope.Remove("type");
        json.Insert(0, "architectures", new JsonArray("LlamaForCausalLM"));
        json.Insert(1, "model_type", ModelType);
        return json;
    }

    /// <summary>Some files list several ids; the first is the one that a text ends with.</summary>
    private static int? FirstId(JsonElement? id) => id switch
    {
        { ValueKind: JsonValueKind.Number } number => number.GetInt32(),
        { ValueKind: JsonValueKind.Array } list when list.GetArrayLength() > 0 => list[0].GetInt32(),
        _ => null,
    };

    /// <summary>Hugging Face's names, which a naming policy turns into the file's.</summary>
    private sealed record Options
    {
        public int VocabSize { get; init; } = 32000;

        public int HiddenSize { get; init; } = 4096;

        public int NumHiddenLayers { get; init; } = 32;

        public int NumAttentionHeads { get; init; } = 32;

        public int? NumKeyValueHeads { get; init; }

        public int? HeadDim { get; init; }

        public int IntermediateSize { get; init; } = 11008;

        public string HiddenAct { get; init; } = "silu";

        public int MaxPositionEmbeddings { get; init; } = 2048;

        public double RmsNormEps { get; init; } = 1e-6;

        public bool TieWordEmbeddings { get; init; }

        public bool AttentionBias { get; init; }

        public bool MlpBias { get; init; }

        public int PretrainingTp { get; init; } = 1;

        public double? RopeTheta { get; init; }

        public Rope? RopeParameters { get; init; }

        public Rope? RopeScaling { get; init; }

        public JsonElement? BosTokenId { get; init; } = JsonSerializer.SerializeToElement(1);

        public JsonElement? EosTokenId { get; init; } = JsonSerializer.SerializeToElement(2);
    }

    private sealed record Rope
    {
        public string? RopeType { get; init; }

        public string? Type { get; init; }

        public double? RopeTheta { get; init; }
    }
}
