using System.Text.Encodings.Web;
using System.Text.Json;

namespace Toolkit.Text;

/// <summary>Reads and writes <c>tokenizer.json</c>, the format of Hugging Face's tokenizers.</summary>
internal static class TokenizerJson
{
    public const string FileName = "tokenizer.json";

    // Ids may have holes, but an id far beyond the number of tokens would make tables that the file does not justify.
    private const int LargestHole = 1 << 16;

    /// <summary>Reads a file.</summary>
    /// <exception cref="InvalidDataException">It is not a tokenizer.</exception>
    /// <exception cref="NotSupportedException">A part of it is of an unknown kind.</exception>
    public static TokenizerDefinition Read(byte[] content)
    {
        var text = content.AsMemory(content.AsSpan().StartsWith("\uFEFF"u8) ? 3 : 0);
        if (!System.Text.Unicode.Utf8.IsValid(text.Span))
        {
            throw new InvalidDataException("it is not UTF-8");
        }

        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(text);
        }
        catch (JsonException problem)
        {
            throw new InvalidDataException(problem.Message, problem);
        }

        using (document)
        {
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw new InvalidDataException($"it is a JSON {document.RootElement.ValueKind}, not an object");
            }

            var root = new JsonFields(document.RootElement, "");
            var model = JsonVocabularyModel.Read(root.Object("model"));
            var definition = new TokenizerDefinition
            {
                Model = model,
                Added = ReadAdded(root),
                Normalizer = Normalizer.Read(root.Optional("normalizer")),
                PreTokenizers = PreTokenizer.Read(root.Optional("pre_tokenizer")),
                PostProcessor = PostProcessor.Read(root.Optional("post_processor")),
                Decoder = TokenDecoder.Read(root.Optional("decoder")),
                Content = () => content,
            };
            CheckIds(model.Vocabulary, definition.Added, model is UnigramModel);
            return definition;
        }
    }

    /// <summary>Writes a file.</summary>
    /// <param name="model">The vocabulary.</param>
    /// <param name="added">Added tokens.</param>
    /// <param name="parts">JSON of the other parts: normalizer, pre_tokenizer, post_processor, decoder; null: there is none.</param>
    public static byte[] Write(JsonVocabularyModel model, IEnumerable<AddedToken> added, IReadOnlyDictionary<string, string?> parts)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteString("version", "1.0");
            json.WriteNull("truncation");
            json.WriteNull("padding");
            json.WriteStartArray("added_tokens");
            foreach (var token in added)
            {
                Write(json, token);
            }

            json.WriteEndArray();
            foreach (var name in new[] { "normalizer", "pre_tokenizer", "post_processor", "decoder" })
            {
                json.WritePropertyName(name);
                json.WriteRawValue(parts.GetValueOrDefault(name) ?? "null");
            }

            json.WriteStartObject("model");
            model.Write(json);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        return stream.ToArray();
    }

    /// <summary>The tokenizer of a vocabulary and the JSON of the other parts, as if it had been read from a file.</summary>
    public static TokenizerDefinition Define(JsonVocabularyModel model, IReadOnlyList<AddedToken> added, IReadOnlyDictionary<string, string?> parts)
    {
        CheckIds(model.Vocabulary, added, model is UnigramModel);
        JsonFields? Part(string name)
        {
            if (parts.GetValueOrDefault(name) is not { } json)
            {
                return null;
            }

            using var document = JsonDocument.Parse(json);
            return new JsonFields(document.RootElement.Clone(), name);
        }

        return new()
        {
            Model = model,
            Added = added,
            Normalizer = Normalizer.Read(Part("normalizer")),
            PreTokenizers = PreTokenizer.Read(Part("pre_tokenizer")),
            PostProcessor = PostProcessor.Read(Part("post_processor")),
            Decoder = TokenDecoder.Read(Part("decoder")),
            Content = () => Write(model, added, parts),
        };
    }

    private static void Write(Utf8JsonWriter json, AddedToken token)
    {
        json.WriteStartObject();
        json.WriteNumber("id", token.Id);
        json.WriteString("content", token.Content);
        json.WriteBoolean("single_word", token.SingleWord);
        json.WriteBoolean("lstrip", token.LeftStrip);
        json.WriteBoolean("rstrip", token.RightStrip);
        json.WriteBoolean("normalized", token.Normalized);
        json.WriteBoolean("special", token.Special);
        json.WriteEndObject();
    }

    private static AddedToken[] ReadAdded(JsonFields root) => root.Field("added_tokens") is null ? [] : [.. root.Objects("added_tokens").Select(token =>
    {
        var special = token.Flag("special", false);
        return new AddedToken(token.Number("id"), token.Text("content"), special, token.Flag("single_word", false), token.Flag("lstrip", false),
            token.Flag("rstrip", false), token.Flag("normalized", !special));
    })];

    private static void CheckIds(Dictionary<string, int> vocabulary, IReadOnlyList<AddedToken> added, bool mayRepeat)
    {
        var count = vocabulary.Count + added.Count;
        if (count == 0)
        {
            throw new InvalidDataException("its vocabulary is empty");
        }

        var owners = new Dictionary<int, string>(count);
        foreach (var (token, id) in vocabulary.Select(token => (token.Key, token.Value)).Concat(added.Select(token => (token.Content, token.Id))))
        {
            if (id < 0 || id > LargestHole + (16L * count))
            {
                throw new InvalidDataException($"the token '{token}' has the id {id}, which is no id of a vocabulary of {count} tokens");
            }

            if (!owners.TryAdd(id, token) && owners[id] != token && !mayRepeat)
            {
                throw new InvalidDataException($"the tokens '{owners[id]}' and '{token}' have the same id {id}");
            }
        }
    }
}
