using System.Text.Json.Nodes;

namespace Toolkit.Checkpoints;

/// <summary>A byte-level byte-pair tokenizer.json (Hugging Face) as GGUF's metadata tokenizer.ggml.*.</summary>
internal sealed class GgufVocabularyWriter
{
    public const int Unused = 5;

    private const int Normal = 1;
    private const int Control = 3;
    private const int UserDefined = 4;

    private const string Gpt2 = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
    private const string Llama3 = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string Qwen2 = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string Digits = @"\p{N}";

    // llama.cpp knows ways to split a text by name; the name also decides whether a piece that is a token as a whole is merged.
    private static readonly (string Name, string[] Expressions, bool IgnoreMerges)[] Splits =
    [
        ("gpt-2", [Gpt2], false),
        ("llama-bpe", [Llama3], true),
        ("dbrx", [Llama3], false),
        ("qwen2", [Qwen2], false),
        ("smollm", [Digits, Gpt2], false),
    ];

    private readonly JsonObject _root;
    private readonly JsonObject _model;

    private GgufVocabularyWriter(JsonObject tokenizer)
    {
        _root = tokenizer;
        _model = Require(tokenizer["model"] as JsonObject, "no model");
    }

    /// <summary>What a row of the embedding table is called that no token has.</summary>
    public static string Padding(int id) => $"[PAD{id}]";

    /// <summary>The metadata of a tokenizer.</summary>
    /// <param name="tokenizer">What tokenizer.json holds.</param>
    /// <param name="vocabularySize">Rows of the model's embedding table; the tokens that it has beyond the tokenizer's are written as unused.</param>
    /// <param name="beginId">The token that begins a text, or null.</param>
    /// <param name="endId">The token that ends one, or null.</param>
    /// <param name="chatTemplate">The chat template, or null.</param>
    /// <exception cref="NotSupportedException">It is of another kind, or has a part that llama.cpp has no counterpart for.</exception>
    public static IReadOnlyList<KeyValuePair<string, object>> Write(JsonObject tokenizer, int vocabularySize, int? beginId, int? endId, string? chatTemplate = null)
    {
        try
        {
            return new GgufVocabularyWriter(tokenizer).Write(vocabularySize, beginId, endId, chatTemplate);
        }
        catch (Exception problem) when (problem is InvalidOperationException or FormatException)
        {
            throw new NotSupportedException($"the tokenizer cannot be written as GGUF: {problem.Message}", problem);
        }
    }

    private List<KeyValuePair<string, object>> Write(int vocabularySize, int? beginId, int? endId, string? chatTemplate)
    {
        Require((string?)_model["type"] is "BPE" or null && _model["merges"] is not null, $"a model of type {(string?)_model["type"]}; only byte-level BPE can be");
        Require(Types(_root["decoder"], "decoders").Contains("ByteLevel"), "no byte-level decoder; only byte-level BPE can be");
        Require(Types(_root["normalizer"], "normalizers").All(type => type == "NFC"), $"the normalizer {string.Join(", ", Types(_root["normalizer"], "normalizers"))}; only none and NFC can be");
        Require(string.IsNullOrEmpty((string?)_model["continuing_subword_prefix"]) && string.IsNullOrEmpty((string?)_model["end_of_word_suffix"]), "marks for parts of words");
        var (tokens, types) = Tokens(vocabularySize);
        var (addBegin, addEnd) = Frame();
        var values = new List<KeyValuePair<string, object>>
        {
            new("tokenizer.ggml.model", "gpt2"),
            new("tokenizer.ggml.pre", Split()),
            new("tokenizer.ggml.tokens", tokens),
            new("tokenizer.ggml.token_type", types),
            new("tokenizer.ggml.merges", _model["merges"]!.AsArray().Select(Merge).ToArray()),
            new("tokenizer.ggml.add_bos_token", addBegin && beginId is not null),
            new("tokenizer.ggml.add_eos_token", addEnd && endId is not null),
        };
        void Add(string key, object? value)
        {
            if (value is not null)
            {
                values.Add(new(key, value));
            }
        }

        Add("tokenizer.ggml.bos_token_id", (uint?)beginId);
        Add("tokenizer.ggml.eos_token_id", (uint?)endId);
        Add("tokenizer.chat_template", chatTemplate);
        return values;
    }

    private (string[] Tokens, int[] Types) Tokens(int vocabularySize)
    {
        var tokens = new string[vocabularySize];
        var types = new int[vocabularySize];
        foreach (var (token, id) in _model["vocab"]!.AsObject())
        {
            Set(id!.GetValue<int>(), token, Normal);
        }

        foreach (var added in _root["added_tokens"]?.AsArray() ?? [])
        {
            Set(added!["id"]!.GetValue<int>(), added["content"]!.GetValue<string>(), added["special"]?.GetValue<bool>() == true ? Control : UserDefined);
        }

        for (var id = 0; id < vocabularySize; id++)
        {
            // llama.cpp wants a token for every row of the table, each of another text.
            (tokens[id], types[id]) = tokens[id] is { } token ? (token, types[id]) : (Padding(id), Unused);
        }

        return (tokens, types);

        void Set(int id, string token, int type)
        {
            Require(id >= 0 && id < vocabularySize, $"the token \"{CheckpointException.Shorten(token)}\" of id {id}, but the model has {vocabularySize} tokens");
            (tokens[id], types[id]) = (token, type);
        }
    }

    private string Split()
    {
        var parts = Parts(_root["pre_tokenizer"], "pretokenizers").ToArray();
        var expressions = new List<string>();
        foreach (var part in parts)
        {
            switch ((string?)part["type"])
            {
                case "ByteLevel":
                    Require(part["add_prefix_space"]?.GetValue<bool>() != true, "a space before every text, which llama.cpp does not add");
                    expressions.AddRange(part["use_regex"]?.GetValue<bool>() == false ? [] : [Gpt2]);
                    break;
                case "Split":
                    Require((string?)part["behavior"] == "Isolated" && part["invert"]?.GetValue<bool>() != true, "a split that is not isolated");
                    expressions.Add(Require((string?)part["pattern"]?["Regex"], "a split without an expression"));
                    break;
                case "Digits":
                    Require(part["individual_digits"]?.GetValue<bool>() == true, "digits split in runs");
                    expressions.Add(Digits);
                    break;
                case var other:
                    throw Refused($"the pre-tokenizer {other}");
            }
        }

        var ignoresMerges = _model["ignore_merges"]?.GetValue<bool>() ?? false;
        return Splits.FirstOrDefault(split => split.IgnoreMerges == ignoresMerges && split.Expressions.SequenceEqual(expressions)).Name
            ?? throw Refused($"a way to split a text that llama.cpp has no name for: {string.Join(" then ", expressions.Select(CheckpointException.Shorten))}{(ignoresMerges ? ", without merging whole tokens" : "")}");
    }

    /// <summary>Whether the post-processor puts a token before or behind a text.</summary>
    private (bool Begin, bool End) Frame()
    {
        var template = Parts(_root["post_processor"], "processors").FirstOrDefault(part => (string?)part["type"] == "TemplateProcessing");
        var single = template?["single"]?.AsArray();
        return single is { Count: > 0 } ? (single[0]!["SpecialToken"] is not null, single[^1]!["SpecialToken"] is not null) : (false, false);
    }

    private static string Merge(JsonNode? merge) => merge is JsonArray { Count: 2 } pair ? $"{pair[0]!.GetValue<string>()} {pair[1]!.GetValue<string>()}" : merge!.GetValue<string>();

    private static IEnumerable<JsonObject> Parts(JsonNode? part, string inner) =>
        part is not JsonObject one ? [] : (string?)one["type"] == "Sequence" ? one[inner]!.AsArray().Select(item => item!.AsObject()) : [one];

    private static IEnumerable<string?> Types(JsonNode? part, string inner) => Parts(part, inner).Select(item => (string?)item["type"]);

    private static T Require<T>(T? value, string what)
        where T : class => value ?? throw Refused(what);

    private static void Require(bool holds, string what)
    {
        if (!holds)
        {
            throw Refused(what);
        }
    }

    private static NotSupportedException Refused(string what) => new($"the tokenizer cannot be written as GGUF: it has {what}");
}
