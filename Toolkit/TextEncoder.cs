using System.Numerics.Tensors;
using System.Text.Json;
using System.Text.Json.Nodes;
using Toolkit.Checkpoints;
using Toolkit.Models;
using Toolkit.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit;

/// <summary>An encoder and its tokenizer: texts to vectors that lie close together where the texts mean something similar.</summary>
/// <example>
/// <code>
/// using var encoder = TextEncoder.Load("sentence-transformers/all-MiniLM-L6-v2");
/// var vectors = encoder.Embed(["The cat sleeps.", "A cat is asleep.", "Stocks fell."]);
/// encoder.Similarity("The cat sleeps.", "A cat is asleep.");
/// encoder.Search("animals", ["The cat sleeps.", "Stocks fell."]).Show();
/// </code>
/// </example>
public sealed class TextEncoder : IDisposable
{
    private const int MostFileBytes = 1 << 20;

    private TextEncoder(Bert model, Tokenizer tokenizer) => (Model, Tokenizer) = (model, tokenizer);

    /// <summary>The model; it lives as long as this object.</summary>
    public Bert Model { get; }

    /// <summary>The tokenizer.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>What a vector is made of.</summary>
    public Pooling Pooling { get; set; } = Pooling.Mean;

    /// <summary>Whether vectors have length one, so that the product of two is the cosine of their angle.</summary>
    public bool Normalise { get; set; } = true;

    /// <summary>The most tokens of a text, those around it included; what is beyond is left out.</summary>
    public int MaxTokens { get; set; }

    /// <summary>
    /// Loads a folder in Hugging Face layout, or a model by its name there (see <see cref="LanguageModel.Load"/>). Where sentence-transformers has written <c>1_Pooling/config.json</c>, <c>modules.json</c> and
    /// <c>sentence_bert_config.json</c>, they say how vectors are made; else they are normalised means.
    /// </summary>
    /// <param name="folder">The folder, or a name such as <c>sentence-transformers/all-MiniLM-L6-v2</c>.</param>
    /// <param name="dtype">Type of the weights in memory; default: float32.</param>
    /// <param name="revision">A branch, a tag or a commit of a model that is opened by its name.</param>
    /// <param name="cache">Where models are that are opened by name; null: where the environment says.</param>
    /// <param name="progress">Told how far a download is; null: a progress bar is shown.</param>
    /// <param name="cancellation">Ends a download; the next one takes up what is there.</param>
    /// <exception cref="CheckpointException">The weights do not fit, or the model is not there and cannot be downloaded.</exception>
    /// <exception cref="NotSupportedException">The model, its tokenizer or the way that it makes vectors is not supported.</exception>
    /// <exception cref="InvalidDataException">A file is malformed.</exception>
    /// <exception cref="ArgumentException">The tokenizer has more tokens than the model's vocabulary.</exception>
    public static TextEncoder Load(
        string folder,
        ScalarType? dtype = null,
        string revision = "main",
        ModelCache? cache = null,
        IProgress<DownloadProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        folder = LanguageModel.Resolve(folder, revision, cache, progress, cancellation);
        var tokenizer = Tokenizer.Load(folder);
        var (pooling, normalise) = ReadPooling(folder);
        var model = Bert.Load(folder, dtype);
        if (tokenizer.VocabularySize > model.Config.VocabularySize)
        {
            var known = model.Config.VocabularySize;
            model.Dispose();
            throw new ArgumentException($"The tokenizer has {tokenizer.VocabularySize} tokens, but the model in '{folder}' has a vocabulary of {known}.");
        }

        var most = Read(Path.Combine(folder, "sentence_bert_config.json"), json => (int?)json["max_seq_length"]);
        return new TextEncoder(model, tokenizer) { Pooling = pooling, Normalise = normalise, MaxTokens = Math.Min(most ?? int.MaxValue, model.Config.MaxPositions) };
    }

    /// <summary>Puts a model and a tokenizer together.</summary>
    /// <param name="model">The model; it becomes this object's.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <exception cref="ArgumentException">The tokenizer has more tokens than the model's vocabulary.</exception>
    public static TextEncoder Create(Bert model, Tokenizer tokenizer) => tokenizer.VocabularySize <= model.Config.VocabularySize
        ? new TextEncoder(model, tokenizer) { MaxTokens = model.Config.MaxPositions }
        : throw new ArgumentException($"The tokenizer has {tokenizer.VocabularySize} tokens, but this model has a vocabulary of {model.Config.VocabularySize}.");

    /// <summary>The vector of a text, of the model's width.</summary>
    public float[] Embed(string text) => Embed([text])[0];

    /// <summary>The vectors of texts, in their order, each of the model's width. Texts of similar length go through the model together.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="batchSize">How many at a time.</param>
    /// <exception cref="InvalidOperationException"><see cref="MaxTokens"/> leaves no room for a text, or the tokenizer makes nothing of one.</exception>
    public float[][] Embed(IReadOnlyList<string> texts, int batchSize = 32)
    {
        ArgumentNullException.ThrowIfNull(texts);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(batchSize);
        var ids = texts.Select(Encode).ToArray();
        var vectors = new float[texts.Count][];
        foreach (var batch in Enumerable.Range(0, ids.Length).OrderBy(i => ids[i].Length).Chunk(batchSize))
        {
            using var scope = NewDisposeScope();
            var time = batch.Max(i => ids[i].Length);
            var (rows, mask) = (new long[batch.Length, time], new bool[batch.Length, time]);
            for (var row = 0; row < batch.Length; row++)
            {
                for (var t = 0; t < time; t++)
                {
                    mask[row, t] = t < ids[batch[row]].Length;
                    rows[row, t] = mask[row, t] ? ids[batch[row]][t] : Model.Config.PadTokenId;
                }
            }

            var device = Model.Device;
            var result = Model.Embed(tensor(rows, device: device), tensor(mask, device: device), Pooling, Normalise).cpu(); // (B, width)
            for (var row = 0; row < batch.Length; row++)
            {
                vectors[batch[row]] = result[row].data<float>().ToArray();
            }
        }

        return vectors;
    }

    /// <summary>The cosine of the angle between the vectors of two texts: 1 where they point the same way, 0 where they have nothing in common.</summary>
    public float Similarity(string first, string second) => Embed([first, second]) is [var a, var b] ? TensorPrimitives.CosineSimilarity<float>(a, b) : 0;

    /// <summary>Texts in the order of their similarity to a question, the nearest first.</summary>
    /// <param name="query">What is looked for.</param>
    /// <param name="texts">What is searched.</param>
    /// <param name="most">The most results; null: all.</param>
    public IReadOnlyList<TextMatch> Search(string query, IReadOnlyList<string> texts, int? most = null)
    {
        ArgumentNullException.ThrowIfNull(texts);
        var vectors = Embed([query, .. texts]);
        return [.. texts.Select((text, i) => new TextMatch(text, i, TensorPrimitives.CosineSimilarity<float>(vectors[0], vectors[i + 1]))).OrderByDescending(match => match.Similarity).Take(most ?? int.MaxValue)];
    }

    /// <summary>Saves model and tokenizer, and how vectors are made, as sentence-transformers does.</summary>
    public void Save(string folder)
    {
        Model.Save(folder);
        Tokenizer.Save(folder);
        Directory.CreateDirectory(Path.Combine(folder, "1_Pooling"));
        Write(Path.Combine(folder, "1_Pooling", "config.json"), new JsonObject
        {
            ["word_embedding_dimension"] = Model.Config.Width,
            ["pooling_mode_cls_token"] = Pooling == Pooling.FirstToken,
            ["pooling_mode_mean_tokens"] = Pooling == Pooling.Mean,
        });
        var modules = new JsonArray(Module(0, "", "Transformer"), Module(1, "1_Pooling", "Pooling"));
        if (Normalise)
        {
            modules.Add((JsonNode)Module(2, "2_Normalize", "Normalize"));
        }

        Write(Path.Combine(folder, "modules.json"), modules);
        Write(Path.Combine(folder, "sentence_bert_config.json"), new JsonObject { ["max_seq_length"] = MaxTokens, ["do_lower_case"] = false });

        static JsonObject Module(int number, string path, string type) =>
            new() { ["idx"] = number, ["name"] = $"{number}", ["path"] = path, ["type"] = $"sentence_transformers.models.{type}" };
    }

    /// <summary>Frees the weights.</summary>
    public void Dispose() => Model.Dispose();

    /// <summary>One line: shape and size.</summary>
    public override string ToString() =>
        $"{BertConfig.Family} encoder of {Model.Config.Layers} {(Model.Config.Layers == 1 ? "layer" : "layers")}, width {Model.Config.Width}, vocabulary {Model.Config.VocabularySize}: {Model.ParameterCount / 1e6:0.##} M parameters";

    /// <summary>The tokens of a text and those around it; where they are too many, the text's last ones are left out.</summary>
    private int[] Encode(string text)
    {
        var whole = Tokenizer.Encode(text, addSpecialTokens: true);
        if (whole.Length == 0)
        {
            throw new InvalidOperationException($"the tokenizer makes no token of the text '{text}'");
        }

        if (whole.Length <= MaxTokens)
        {
            return whole;
        }

        var own = Tokenizer.Encode(text);
        var around = whole.Length - own.Length;
        var before = Enumerable.Range(0, around + 1).First(i => whole.AsSpan(i, own.Length).SequenceEqual(own));
        return MaxTokens > around
            ? [.. whole[..before], .. own[..(MaxTokens - around)], .. whole[(before + own.Length)..]]
            : throw new InvalidOperationException($"{MaxTokens} tokens leave no room for a text: {around} are around it");
    }

    private static (Pooling Pooling, bool Normalise) ReadPooling(string folder)
    {
        var path = Path.Combine(folder, "1_Pooling", "config.json");
        var pooling = Read<Pooling?>(path, json =>
        {
            var on = json.AsObject().Where(field => field.Key.StartsWith("pooling_mode_", StringComparison.Ordinal) && field.Value?.GetValueKind() == JsonValueKind.True).Select(field => field.Key).ToArray();
            return on switch
            {
                ["pooling_mode_mean_tokens"] => Pooling.Mean,
                ["pooling_mode_cls_token"] => Pooling.FirstToken,
                _ => throw new NotSupportedException($"{path}: {(on.Length == 0 ? "no pooling mode" : string.Join(" with ", on))} is not supported; known: pooling_mode_mean_tokens, pooling_mode_cls_token"),
            };
        });
        var modules = Path.Combine(folder, "modules.json");
        var normalise = Read<bool?>(modules, json =>
        {
            var types = json.AsArray().Select(module => ((string?)module?["type"])?.Split('.')[^1]).ToArray();
            return types.FirstOrDefault(type => type is not ("Transformer" or "Pooling" or "Normalize")) is { } other
                ? throw new NotSupportedException($"{modules}: a module {other} is not supported; known: Transformer, Pooling, Normalize")
                : types.Contains("Normalize");
        });
        return (pooling ?? Pooling.Mean, normalise ?? true);
    }

    private static T? Read<T>(string path, Func<JsonNode, T?> read)
    {
        if (!File.Exists(path))
        {
            return default;
        }

        try
        {
            return new FileInfo(path).Length <= MostFileBytes
                ? read(JsonNode.Parse(File.ReadAllText(path)) ?? throw new JsonException("it is null"))
                : throw new JsonException("it is too large");
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException or FormatException or ArgumentException)
        {
            throw new InvalidDataException($"{path}: {problem.Message}", problem);
        }
    }

    private static void Write(string path, JsonNode json) => File.WriteAllText(path, json.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
}

/// <summary>A text that was found.</summary>
/// <param name="Text">The text.</param>
/// <param name="Index">Its place among the texts that were searched, from 0.</param>
/// <param name="Similarity">The cosine of the angle between its vector and that of the question.</param>
public sealed record TextMatch(string Text, int Index, float Similarity);
