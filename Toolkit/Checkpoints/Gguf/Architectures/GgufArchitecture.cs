using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using static TorchSharp.torch;

namespace Toolkit.Checkpoints;

/// <summary>
/// A model architecture of llama.cpp: what its tensors and options are called in GGUF and in a Hugging Face folder. One file each, and a line in
/// <see cref="GgufArchitectures"/>.
/// </summary>
/// <param name="name">What general.architecture says.</param>
internal abstract partial class GgufArchitecture(string name)
{
    private Dictionary<string, string>? _back;

    /// <summary>What general.architecture says.</summary>
    public string Name => name;

    /// <summary>Values of model_type that are written as this architecture.</summary>
    public abstract IReadOnlyList<string> ModelTypes { get; }

    /// <summary>Names of parts in GGUF and at Hugging Face; <c>{}</c> stands for the number of the block.</summary>
    protected abstract IReadOnlyDictionary<string, string> Parts { get; }

    /// <summary>What config.json would hold.</summary>
    /// <exception cref="CheckpointException">The metadata lacks something.</exception>
    /// <exception cref="NotSupportedException">An option has no counterpart.</exception>
    public abstract JsonObject ReadConfig(GgufFile file);

    /// <summary>The metadata of a config.json, without general.architecture.</summary>
    /// <exception cref="NotSupportedException">An option has no counterpart in GGUF, so that llama.cpp would compute something else.</exception>
    public abstract IEnumerable<KeyValuePair<string, object>> WriteConfig(HuggingFaceConfig config);

    /// <summary>How a tensor of this Hugging Face name lies in GGUF.</summary>
    public abstract GgufArrangement Arrangement(string huggingFace, HuggingFaceConfig config);

    /// <summary>Whether a tensor is stored as float32 whatever the file's type is, because llama.cpp asks for that.</summary>
    public virtual bool IsAlwaysFloat32(string gguf) => false;

    /// <summary>Tensors of the GGUF file whose content is in the config already.</summary>
    public virtual bool IsImplied(string gguf) => false;

    /// <summary>Tensors that GGUF has beside the model's, computed from the config.</summary>
    public virtual IEnumerable<KeyValuePair<string, Tensor>> Implied(HuggingFaceConfig config) => [];

    /// <summary>The Hugging Face name of a tensor, or null where the architecture has no such part.</summary>
    public string? HuggingFace(string gguf) => Rename(gguf, Parts);

    /// <summary>The GGUF name of a tensor, or null where the architecture has no such part.</summary>
    public string? Gguf(string huggingFace) => Rename(huggingFace, _back ??= Parts.ToDictionary(part => part.Value, part => part.Key, StringComparer.Ordinal));

    /// <summary>A key of this architecture.</summary>
    protected string Key(string option) => $"{name}.{option}";

    /// <summary>A whole number that must be there.</summary>
    protected long Required(GgufFile file, string option) => file.Metadata.Integer(Key(option)) ?? throw Lacks(file, option);

    /// <summary>A number that must be there; float32 as config.json would write it: 1e-6, not 9.99999997475e-07.</summary>
    protected double RequiredNumber(GgufFile file, string option) => Number(file, option) ?? throw Lacks(file, option);

    /// <inheritdoc cref="RequiredNumber"/>
    protected double? Number(GgufFile file, string option) => file.Metadata.Number(Key(option)) is { } number
        ? double.Parse(((float)number).ToString("R", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture)
        : null;

    /// <summary>Tokens of the embedding table, which files do not always count elsewhere.</summary>
    protected static long VocabularySize(GgufFile file) => file.Tensors.TryGetValue("token_embd.weight", out var table) && table.Dimensions.Length == 2
        ? table.Dimensions[0]
        : throw CheckpointException.In(file.Path, "token_embd.weight", "there is no such matrix, so the file holds no model (a vocabulary alone?)");

    /// <summary>Adds the ids that begin and end a text, which GGUF keeps with the tokenizer.</summary>
    protected static JsonObject WithIds(GgufFile file, JsonObject json)
    {
        json["bos_token_id"] = file.Metadata.Integer("tokenizer.ggml.bos_token_id");
        json["eos_token_id"] = file.Metadata.Integer("tokenizer.ggml.eos_token_id");
        return json;
    }

    /// <summary>Options as metadata; those without a value are left out.</summary>
    protected IEnumerable<KeyValuePair<string, object>> Options(params (string Option, object? Value)[] options) =>
        options.Where(option => option.Value is not null).Select(option => KeyValuePair.Create(Key(option.Option), option.Value!));

    private static string? Rename(string tensor, IReadOnlyDictionary<string, string> parts)
    {
        var dot = tensor.LastIndexOf('.');
        if (dot < 0 || tensor[(dot + 1)..] is not ("weight" or "bias"))
        {
            return null;
        }

        var number = BlockNumber().Match(tensor);
        var part = number.Success && number.Index < dot ? $"{tensor[..number.Index]}.{{}}.{tensor[(number.Index + number.Length)..dot]}" : tensor[..dot];
        return parts.TryGetValue(part, out var found) ? found.Replace("{}", number.Value.Trim('.'), StringComparison.Ordinal) + tensor[dot..] : null;
    }

    private CheckpointException Lacks(GgufFile file, string option) => CheckpointException.In(file.Path, $"the metadata lacks \"{Key(option)}\"");

    [GeneratedRegex(@"\.(0|[1-9]\d{0,5})\.")]
    private static partial Regex BlockNumber();
}
