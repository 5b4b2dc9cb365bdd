using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Toolkit.Text;

/// <summary>What a <c>tokenizer.json</c> of a byte-level byte-pair tokenizer says (Hugging Face tokenizers).</summary>
internal sealed partial record TokenizerFile
{
    public const string FileName = "tokenizer.json";
    public const string ConfigName = "tokenizer_config.json";
    private const int LargestId = 1 << 24;

    private static readonly JsonSerializerOptions _indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Spelling to id, without added tokens.</summary>
    public required IReadOnlyDictionary<string, int> Vocabulary { get; init; }

    /// <summary>The pairs that are joined, the earliest first.</summary>
    public required IReadOnlyList<(string Left, string Right)> Merges { get; init; }

    /// <summary>Text of each added token and its id.</summary>
    public required IReadOnlyDictionary<string, int> Added { get; init; }

    /// <summary>The expression that splits a text; null: GPT-2's.</summary>
    public Regex? Split { get; init; }

    /// <summary>Whether a text that does not begin with a space is given one.</summary>
    public bool AddPrefixSpace { get; init; }

    /// <summary>Whether a piece that is a token as a whole is not merged.</summary>
    public bool IgnoreMerges { get; init; }

    /// <summary>The whole file, to be written again as it was.</summary>
    public required string Json { get; init; }

    /// <summary>The file of a trained vocabulary.</summary>
    public static TokenizerFile Of(IReadOnlyDictionary<string, int> vocabulary, IReadOnlyList<(string Left, string Right)> merges, IReadOnlyDictionary<string, int> added)
    {
        JsonObject ByteLevel(bool prefix) => new() { ["type"] = "ByteLevel", ["add_prefix_space"] = prefix, ["trim_offsets"] = true, ["use_regex"] = true };
        var json = new JsonObject
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = new JsonArray([.. added.Select(token => (JsonNode)new JsonObject
            {
                ["id"] = token.Value, ["content"] = token.Key, ["single_word"] = false, ["lstrip"] = false, ["rstrip"] = false, ["normalized"] = false, ["special"] = true,
            })]),
            ["normalizer"] = null,
            ["pre_tokenizer"] = ByteLevel(prefix: false),
            ["post_processor"] = ByteLevel(prefix: true),
            ["decoder"] = ByteLevel(prefix: true),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["dropout"] = null,
                ["unk_token"] = null,
                ["continuing_subword_prefix"] = null,
                ["end_of_word_suffix"] = null,
                ["fuse_unk"] = false,
                ["byte_fallback"] = false,
                ["ignore_merges"] = false,
                ["vocab"] = new JsonObject(vocabulary.OrderBy(token => token.Value).Select(token => KeyValuePair.Create(token.Key, (JsonNode?)token.Value))),
                ["merges"] = new JsonArray([.. merges.Select(merge => (JsonNode)new JsonArray(merge.Left, merge.Right))]),
            },
        };
        return new() { Vocabulary = vocabulary, Merges = merges, Added = added, Json = json.ToJsonString(_indented) };
    }

    /// <summary>Reads a file.</summary>
    /// <exception cref="InvalidDataException">It is not a tokenizer.</exception>
    /// <exception cref="NotSupportedException">It is a tokenizer of another kind.</exception>
    public static TokenizerFile Read(string path)
    {
        var text = File.ReadAllText(path);
        try
        {
            var root = JsonNode.Parse(text)?.AsObject() ?? throw new JsonException("the file is null");
            var model = root["model"]?.AsObject() ?? throw new JsonException("there is no model");
            RequireByteLevelBpe(path, root, model);
            var (split, prefix) = PreTokenizer(path, root["pre_tokenizer"]!.AsObject());
            var file = new TokenizerFile
            {
                Vocabulary = model["vocab"]!.AsObject().ToDictionary(token => token.Key, token => token.Value!.GetValue<int>(), StringComparer.Ordinal),
                Merges = [.. model["merges"]!.AsArray().Select(Merge)],
                Added = (root["added_tokens"]?.AsArray() ?? []).ToDictionary(token => token!["content"]!.GetValue<string>(), token => token!["id"]!.GetValue<int>(), StringComparer.Ordinal),
                Split = split,
                AddPrefixSpace = prefix,
                IgnoreMerges = model["ignore_merges"]?.GetValue<bool>() ?? false,
                Json = text,
            };
            file.CheckIds();
            return file;
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException or FormatException or ArgumentException or NullReferenceException)
        {
            throw new InvalidDataException($"{path} is not a tokenizer: {(problem is NullReferenceException ? "a part of it is missing" : problem.Message)}", problem);
        }
    }

    /// <summary>The end-of-text token that the configuration beside a tokenizer names, or null.</summary>
    /// <exception cref="InvalidDataException">The configuration is not JSON of the expected form.</exception>
    public static string? ReadEndOfText(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            var token = JsonNode.Parse(File.ReadAllText(path))?["eos_token"];
            return token is JsonObject described ? described["content"]?.GetValue<string>() : token?.GetValue<string>();
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException($"{path}: {problem.Message}", problem);
        }
    }

    /// <summary>The configuration that Hugging Face transformers wants beside the tokenizer.</summary>
    public static string Configuration(string? endOfText) => new JsonObject
    {
        ["tokenizer_class"] = "PreTrainedTokenizerFast",
        ["bos_token"] = endOfText,
        ["eos_token"] = endOfText,
        ["unk_token"] = null,
        ["clean_up_tokenization_spaces"] = false,
        ["model_max_length"] = 1_000_000,
    }.ToJsonString(_indented);

    private void CheckIds()
    {
        var owner = new Dictionary<int, string>();
        foreach (var (token, id) in Vocabulary.Concat(Added))
        {
            if (id is < 0 or > LargestId)
            {
                throw new JsonException($"the token '{token}' has the id {id}, which is not between 0 and {LargestId}");
            }

            if (!owner.TryAdd(id, token) && owner[id] != token)
            {
                throw new JsonException($"the tokens '{owner[id]}' and '{token}' have the same id {id}");
            }
        }

        if (owner.Count == 0)
        {
            throw new JsonException("its vocabulary is empty");
        }
    }

    private static void RequireByteLevelBpe(string path, JsonObject root, JsonObject model)
    {
        var type = (string?)model["type"] ?? (model["merges"] is not null ? "BPE" : "unknown");
        Require(path, type == "BPE", $"a model of type {type}; only BPE");
        Require(path, root["normalizer"] is null, $"the normalizer {(string?)root["normalizer"]?["type"]}; only none");
        Require(path, root["pre_tokenizer"] is not null, "no pre-tokenizer; only ByteLevel, alone or after Split");
        Require(path, Types(root["decoder"]).Contains("ByteLevel"), $"the decoder {string.Join(", ", Types(root["decoder"]).DefaultIfEmpty("none"))}; only ByteLevel");
        Require(path, (string?)model["continuing_subword_prefix"] is null or "", "a prefix for parts of words; only none");
        Require(path, (string?)model["end_of_word_suffix"] is null or "", "a suffix for ends of words; only none");
        Require(path, model["byte_fallback"]?.GetValue<bool>() is not true, "a vocabulary of characters with a fallback to bytes; only one of bytes");
    }

    private static (Regex? Split, bool Prefix) PreTokenizer(string path, JsonObject description)
    {
        var parts = (string?)description["type"] == "Sequence" ? [.. description["pretokenizers"]!.AsArray().Select(part => part!.AsObject())] : new[] { description };
        Require(path, parts.Length > 0 && (string?)parts[^1]["type"] == "ByteLevel" && parts[..^1].All(part => (string?)part["type"] == "Split") && parts.Length <= 2,
            $"the pre-tokenizer {string.Join(", ", parts.Select(part => (string?)part["type"]))}; only ByteLevel, alone or after one Split");
        var bytes = parts[^1];
        var prefix = bytes["add_prefix_space"]?.GetValue<bool>() ?? false;
        var gpt2 = bytes["use_regex"]?.GetValue<bool>() ?? true;
        if (parts.Length == 1)
        {
            Require(path, gpt2, "a text that is not split into words; only with an expression");
            return (null, prefix);
        }

        Require(path, !gpt2, "two splits, one after the other; only one");
        var pattern = (string?)parts[0]["pattern"]?["Regex"];
        Require(path, pattern is not null, "a split that is no regular expression");
        Require(path, (string?)parts[0]["behavior"] == "Isolated" && parts[0]["invert"]?.GetValue<bool>() is not true, "a split other than Isolated");
        return (new Regex(PossessiveQuantifiers().Replace(pattern!, "(?>${what}${how})"), RegexOptions.Compiled | RegexOptions.CultureInvariant), prefix);
    }

    private static (string Left, string Right) Merge(JsonNode? merge)
    {
        var parts = merge is JsonArray pair ? [.. pair.Select(part => part!.GetValue<string>())] : merge!.GetValue<string>().Split(' ');
        return parts.Length == 2 ? (parts[0], parts[1]) : throw new JsonException($"the merge {merge?.ToJsonString()} is not of two tokens");
    }

    private static IEnumerable<string?> Types(JsonNode? part) =>
        (string?)part?["type"] == "Sequence" ? part!["decoders"]!.AsArray().Select(inner => (string?)inner?["type"]) : part is null ? [] : [(string?)part["type"]];

    private static void Require(string path, bool holds, string what)
    {
        if (!holds)
        {
            throw new NotSupportedException($"{path} has {what} is supported.");
        }
    }

    /// <summary>.NET has no possessive quantifiers (a++), which GPT-4's expression uses; an atomic group around a greedy one is the same.</summary>
    [GeneratedRegex(@"(?<what>\[(?:\\.|[^\]\\])*\]|\\p\{\w+\}|\\.|[^\\()\[\]{}|?*+])(?<how>[?*+]|\{\d+(?:,\d*)?\})\+")]
    private static partial Regex PossessiveQuantifiers();
}
