using System.Text.Json.Nodes;
using Toolkit.Text;
using static TorchSharp.torch;

namespace Toolkit.Checkpoints;

/// <summary>Models in GGUF files, translated from and to what a Hugging Face folder says: Llama, Mistral, Qwen 2 and GPT-2.</summary>
public static class GgufModel
{
    // What llama.cpp calls a file by the type of most of its tensors (general.file_type).
    private static readonly Dictionary<GgufType, uint> FileTypes = new()
    {
        [GgufType.F32] = 0,
        [GgufType.F16] = 1,
        [GgufType.Q4_0] = 2,
        [GgufType.Q8_0] = 7,
        [GgufType.BF16] = 32,
    };

    /// <summary>The types that <see cref="Save"/> writes.</summary>
    public static IReadOnlyCollection<GgufType> Types => FileTypes.Keys;

    /// <summary>What config.json would hold for the model of a file.</summary>
    /// <exception cref="CheckpointException">The metadata lacks something, or a value is of another type.</exception>
    /// <exception cref="NotSupportedException">The architecture or an option of it is not known.</exception>
    public static JsonObject ReadConfig(GgufFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        return GgufArchitectures.Of(file).ReadConfig(file);
    }

    /// <summary>The tokenizer inside of a file.</summary>
    /// <exception cref="CheckpointException">There is none, or its metadata does not fit together.</exception>
    /// <exception cref="NotSupportedException">It is of a kind that is not supported.</exception>
    public static Tokenizer ReadTokenizer(GgufFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        return GgufVocabularyReader.Read(file);
    }

    /// <summary>The metadata of a byte-level BPE tokenizer, to be saved with a model.</summary>
    /// <param name="tokenizer">What tokenizer.json holds.</param>
    /// <param name="vocabularySize">Rows of the model's embedding table; tokens that it has beyond the tokenizer's are written as unused.</param>
    /// <param name="beginId">The token that begins a text, or null.</param>
    /// <param name="endId">The token that ends a text, or null.</param>
    /// <param name="chatTemplate">The chat template, or null.</param>
    /// <exception cref="NotSupportedException">It is of another kind, or has a part that llama.cpp has no counterpart for.</exception>
    public static IReadOnlyList<KeyValuePair<string, object>> TokenizerMetadata(JsonObject tokenizer, int vocabularySize, int? beginId = null, int? endId = null, string? chatTemplate = null)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        return GgufVocabularyWriter.Write(tokenizer, vocabularySize, beginId, endId, chatTemplate);
    }

    /// <summary>
    /// Writes a model for llama.cpp. Vectors are stored as float32, as it asks for; matrices whose rows are no whole blocks as F16 where the type is one of blocks.
    /// </summary>
    /// <param name="path">The file; its folder must exist.</param>
    /// <param name="config">What config.json holds.</param>
    /// <param name="tensors">The parameters by their Hugging Face names.</param>
    /// <param name="type">How to store the matrices: F32, F16, BF16, Q8_0 or Q4_0.</param>
    /// <param name="metadata">More metadata, such as the tokenizer's.</param>
    /// <exception cref="CheckpointException">A tensor cannot be stored, or the file cannot be written.</exception>
    /// <exception cref="NotSupportedException">GGUF has no place for the family, an option or a tensor.</exception>
    public static void Save(
        string path, JsonObject config, IReadOnlyDictionary<string, Tensor> tensors, GgufType type, IEnumerable<KeyValuePair<string, object>>? metadata = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(tensors);
        var fileType = FileTypes.TryGetValue(type, out var known) ? known : throw new NotSupportedException($"models cannot be written as {type}; known: {string.Join(", ", Types)}");
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var read = new HuggingFaceConfig(config);
        var architecture = GgufArchitectures.Of(read);
        KeyValuePair<string, object>[] values =
        [
            KeyValuePair.Create("general.architecture", (object)architecture.Name),
            KeyValuePair.Create("general.file_type", (object)fileType),
            .. BlockFormat.Find(type) is null ? [] : new[] { KeyValuePair.Create("general.quantization_version", (object)2u) },
            .. architecture.WriteConfig(read),
            .. metadata ?? [],
        ];
        values = [.. values, .. Ids(read).Where(id => Array.TrueForAll(values, value => value.Key != id.Key))];
        var items = new List<GgufItem>(tensors.Count);
        foreach (var (name, tensor) in tensors)
        {
            var gguf = architecture.Gguf(name) ?? throw new NotSupportedException($"{path}: the architecture {architecture.Name} of GGUF has no place for tensor \"{CheckpointException.Shorten(name)}\"");
            items.Add(Item(gguf, tensor, architecture.Arrangement(name, read), architecture.IsAlwaysFloat32(gguf) ? GgufType.F32 : type));
        }

        items.AddRange(architecture.Implied(read).Select(pair => new GgufItem(pair.Key, pair.Value, GgufType.F32)));
        using var pending = GgufWriter.Write(path, new GgufMetadata(values), items);
        pending.Commit();
    }

    /// <summary>The ids that begin and end a text, which GGUF keeps with the tokenizer.</summary>
    private static IEnumerable<KeyValuePair<string, object>> Ids(HuggingFaceConfig config) =>
        from name in new[] { "bos_token_id", "eos_token_id" }
        let id = config.OptionalInteger(name)
        where id is not null
        select KeyValuePair.Create($"tokenizer.ggml.{name}", (object)id.Value);

    private static GgufItem Item(string name, Tensor tensor, GgufArrangement arrangement, GgufType type)
    {
        if (tensor is null || tensor.IsInvalid || tensor.dim() < 2)
        {
            return new(name, tensor!, GgufType.F32);
        }

        var stored = arrangement.IsTransposed ? tensor.t() : tensor;
        var fits = stored.shape[^1] % GgufLayout.Find(type)!.BlockLength == 0;
        return new(name, stored, fits ? type : GgufType.F16) { HeadRows = arrangement.Heads == 0 ? 0 : stored.shape[0] / arrangement.Heads };
    }
}
