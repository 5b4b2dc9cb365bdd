using System.Text.Json;
using System.Text.Json.Nodes;

namespace Toolkit.Text;

/// <summary>Makes a tokenizer of the vocabulary inside of a GGUF file, for every kind the way llama.cpp reads it.</summary>
internal static class GgufTokenizer
{
    /// <exception cref="InvalidDataException">The lists do not fit together.</exception>
    /// <exception cref="NotSupportedException">The kind of vocabulary, or its way to split a text, is unknown.</exception>
    public static TokenizerDefinition Define(GgufVocabulary gguf)
    {
        Check(gguf, gguf.Scores?.Count, "scores");
        Check(gguf, gguf.TokenTypes?.Count, "token_type");
        var definition = gguf.Model switch
        {
            "gpt2" => BytePair(gguf),
            "gemma4" => RawBytePair(gguf),
            "llama" => SentencePieceOf(gguf, isBytePair: true),
            "t5" => SentencePieceOf(gguf, isBytePair: false),
            "bert" => WordPiece(gguf),
            var other => throw new NotSupportedException($"tokenizer.ggml.model is '{other}'; supported are gpt2, gemma4, llama, t5 and bert"),
        };
        return definition with
        {
            BeginOfText = Token(gguf, gguf.BeginOfTextId) ?? definition.BeginOfText,
            EndOfText = Token(gguf, gguf.EndOfTextId) ?? definition.EndOfText,
            ChatTemplate = gguf.ChatTemplate,
        };
    }

    private static void Check(GgufVocabulary gguf, int? count, string name)
    {
        if (count is { } given && given < gguf.Tokens.Count)
        {
            throw new InvalidDataException($"tokenizer.ggml.{name} has {given} items for {gguf.Tokens.Count} tokens");
        }
    }

    private static int? Token(GgufVocabulary gguf, int? id) => id is >= 0 && id < gguf.Tokens.Count ? id : null;

    private static SentencePieceType Type(GgufVocabulary gguf, int id) =>
        gguf.TokenTypes is { } types && Enum.IsDefined((SentencePieceType)types[id]) ? (SentencePieceType)types[id] : SentencePieceType.Normal;

    private static Dictionary<string, int> Vocabulary(GgufVocabulary gguf, Func<int, string, string>? spelling = null)
    {
        var vocabulary = new Dictionary<string, int>(gguf.Tokens.Count, StringComparer.Ordinal);
        foreach (var (id, token) in gguf.Tokens.Index())
        {
            // llama.cpp's own name for a token without a spelling.
            var text = token.Length == 0 ? $"[EMPTY_{id}]" : spelling?.Invoke(id, token) ?? token;
            if (!vocabulary.TryAdd(text, id))
            {
                throw new InvalidDataException($"the token '{text}' has the ids {vocabulary[text]} and {id}");
            }
        }

        return vocabulary;
    }

    private static AddedToken[] Added(GgufVocabulary gguf) => [.. gguf.Tokens.Index()
        .Where(token => token.Item.Length > 0 && Type(gguf, token.Index) is SentencePieceType.Control or SentencePieceType.Unknown or SentencePieceType.UserDefined)
        .Select(token => new AddedToken(token.Index, token.Item, Type(gguf, token.Index) != SentencePieceType.UserDefined))];

    private static TokenizerDefinition BytePair(GgufVocabulary gguf)
    {
        var split = GgufPreTokenizers.Of(gguf.PreTokenizer ?? "default");
        var model = new BytePairModel { Vocabulary = Vocabulary(gguf), Merges = Merges(gguf), IgnoreMerges = split.IgnoreMerges };
        var steps = split.Expressions.Select(expression =>
            $$$"""{"type":"Split","pattern":{"Regex":{{{JsonSerializer.Serialize(expression)}}}},"behavior":"Isolated","invert":false}""");
        const string bytes = """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}""";
        var parts = new Dictionary<string, string?>
        {
            ["normalizer"] = split.Composes ? """{"type":"NFC"}""" : null,
            ["pre_tokenizer"] = $$"""{"type":"Sequence","pretokenizers":[{{string.Join(',', steps.Append(bytes))}}]}""",
            ["decoder"] = bytes,
        };
        return Framed(gguf, model, parts, gguf.AddBeginOfText ?? split.AddsBegin, gguf.AddEndOfText ?? false);
    }

    /// <summary>Byte-pair encoding of characters, spaces as ▁, lines apart.</summary>
    private static TokenizerDefinition RawBytePair(GgufVocabulary gguf) => Framed(
        gguf,
        new BytePairModel { Vocabulary = Vocabulary(gguf), Merges = Merges(gguf), ByteFallback = true, FuseUnknown = true },
        new Dictionary<string, string?>
        {
            ["normalizer"] = """{"type":"Replace","pattern":{"String":" "},"content":"▁"}""",
            ["pre_tokenizer"] = """{"type":"Split","pattern":{"Regex":"[^\\n]+|[\\n]+"},"behavior":"Isolated","invert":false}""",
            ["decoder"] = """{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"}]}""",
        },
        gguf.AddBeginOfText ?? true,
        gguf.AddEndOfText ?? false);

    private static TokenizerDefinition Framed(GgufVocabulary gguf, JsonVocabularyModel model, Dictionary<string, string?> parts, bool addBegin, bool addEnd)
    {
        var (begin, end) = (addBegin ? Token(gguf, gguf.BeginOfTextId) : null, addEnd ? Token(gguf, gguf.EndOfTextId) : null);
        parts["post_processor"] = Template(gguf, begin, end);
        return TokenizerJson.Define(model, Added(gguf), parts);
    }

    /// <summary>A begin and an end around a text, as JSON; null where there are neither.</summary>
    private static string? Template(GgufVocabulary gguf, int? begin, int? end)
    {
        if (begin is null && end is null)
        {
            return null;
        }

        IEnumerable<JsonNode> Special(int? id, int type) =>
            id is { } token ? [new JsonObject { ["SpecialToken"] = new JsonObject { ["id"] = gguf.Tokens[token], ["type_id"] = type } }] : [];
        IEnumerable<JsonNode> Around(string name, int type) =>
            [.. Special(begin, type), new JsonObject { ["Sequence"] = new JsonObject { ["id"] = name, ["type_id"] = type } }, .. Special(end, type)];
        var tokens = new JsonObject();
        foreach (var id in new[] { begin, end }.OfType<int>())
        {
            tokens[gguf.Tokens[id]] = new JsonObject { ["id"] = gguf.Tokens[id], ["ids"] = new JsonArray(id), ["tokens"] = new JsonArray(gguf.Tokens[id]) };
        }

        return new JsonObject
        {
            ["type"] = "TemplateProcessing",
            ["single"] = new JsonArray([.. Around("A", 0)]),
            ["pair"] = new JsonArray([.. Around("A", 0), .. Around("B", 1)]),
            ["special_tokens"] = tokens,
        }.ToJsonString();
    }

    private static List<(string Left, string Right)> Merges(GgufVocabulary gguf)
    {
        var merges = new List<(string, string)>(gguf.Merges?.Count ?? throw new InvalidDataException("tokenizer.ggml.merges is missing"));
        foreach (var merge in gguf.Merges)
        {
            // A token may begin with a space where it is not spelt in the byte alphabet.
            var space = merge.Length == 0 ? -1 : merge.IndexOf(' ', 1);
            merges.Add(space > 0 && space + 1 < merge.Length ? (merge[..space], merge[(space + 1)..]) : throw new InvalidDataException($"the merge '{merge}' is not of two tokens"));
        }

        return merges;
    }

    private static TokenizerDefinition SentencePieceOf(GgufVocabulary gguf, bool isBytePair)
    {
        var types = gguf.TokenTypes is null && isBytePair ? null : gguf.TokenTypes;
        var pieces = gguf.Tokens.Select((token, id) => new SentencePiece(token.Length == 0 ? $"[EMPTY_{id}]" : token, gguf.Scores?[id] ?? 0, Type(gguf, id))).ToArray();
        var file = new SentencePieceFile
        {
            Pieces = pieces,
            IsBytePair = isBytePair,
            ByteFallback = isBytePair && (types is null || pieces.Any(piece => piece.Type == SentencePieceType.Byte)),
            UnknownId = Token(gguf, gguf.UnknownId) ?? (isBytePair ? 0 : 2),
            BeginId = Token(gguf, gguf.BeginOfTextId) ?? (isBytePair ? 1 : -1),
            EndId = Token(gguf, gguf.EndOfTextId) ?? (isBytePair ? 2 : 1),
            AddDummyPrefix = gguf.AddSpacePrefix ?? isBytePair,
            RemoveExtraSpaces = gguf.RemoveExtraWhitespaces,
            CharacterMap = gguf.PrecompiledCharacterMap is { Length: > 0 } map ? new CharacterMap(map) : null,
            FindsUserDefinedFirst = true,
        };
        return file.Define(gguf.AddBeginOfText ?? isBytePair, gguf.AddEndOfText ?? !isBytePair);
    }

    /// <summary>WordPiece, whose words begin with ▁ and whose parts of words have no mark: the other way round than in BERT's own files.</summary>
    private static TokenizerDefinition WordPiece(GgufVocabulary gguf)
    {
        var vocabulary = Vocabulary(gguf, (id, token) => Type(gguf, id) is SentencePieceType.Control or SentencePieceType.Unknown or SentencePieceType.UserDefined ? token
            : token.StartsWith('▁') && token.Length > 1 ? token[1..] : "##" + token);
        var unknown = Token(gguf, gguf.UnknownId) ?? (vocabulary.TryGetValue("[UNK]", out var named) ? named : throw new InvalidDataException("there is no unknown token"));
        var model = new WordPieceModel { Vocabulary = vocabulary, Unknown = vocabulary.First(token => token.Value == unknown).Key, LongestWord = int.MaxValue };
        var begin = Token(gguf, gguf.BeginOfTextId) ?? (vocabulary.TryGetValue("[CLS]", out var cls) ? cls : null);
        var end = Token(gguf, gguf.SeparatorId) ?? (vocabulary.TryGetValue("[SEP]", out var sep) ? sep : null);
        var lower = gguf.Lowercase ?? true;
        var definition = TokenizerJson.Define(model, Added(gguf), new Dictionary<string, string?>
        {
            ["normalizer"] = $$"""{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":{{(lower ? "true" : "false")}},"lowercase":{{(lower ? "true" : "false")}}}""",
            ["pre_tokenizer"] = """{"type":"BertPreTokenizer"}""",
            ["post_processor"] = Template(gguf, begin, end),
            ["decoder"] = """{"type":"WordPiece","prefix":"##","cleanup":true}""",
        });
        return definition with { EndOfText = end };
    }
}
