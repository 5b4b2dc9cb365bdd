using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Toolkit.Text;

/// <summary>What <c>tokenizer_config.json</c>, beside a tokenizer, says of it.</summary>
/// <param name="Content">The file.</param>
/// <param name="BeginOfText">The text of the token that begins a text, or null.</param>
/// <param name="EndOfText">The text of the token that ends one, or null.</param>
/// <param name="AddBeginOfText">Whether the beginning is put in front of a text; null: the tokenizer itself says.</param>
/// <param name="AddEndOfText">Whether the end is put after a text; null: the tokenizer itself says.</param>
/// <param name="ChatTemplate">How a conversation is written, or null.</param>
/// <param name="Class">The class that transformers reads the tokenizer with, or null.</param>
/// <param name="SpecialTokens">The texts of all named special tokens, such as <c>pad_token</c>, by name.</param>
internal sealed record TokenizerConfiguration(
    string Content, string? BeginOfText, string? EndOfText, bool? AddBeginOfText, bool? AddEndOfText, string? ChatTemplate, string? Class, IReadOnlyDictionary<string, string> SpecialTokens)
{
    public const string FileName = "tokenizer_config.json";
    private const string TemplateFile = "chat_template.jinja";
    private static readonly JsonSerializerOptions _indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Reads the configuration of a folder; null where it has none. A file <c>chat_template.jinja</c> comes before the template inside.</summary>
    /// <exception cref="InvalidDataException">It is not JSON of the expected form.</exception>
    public static TokenizerConfiguration? Read(string folder)
    {
        var path = Path.Combine(folder, FileName);
        var template = Path.Combine(folder, TemplateFile) is var file && File.Exists(file) ? File.ReadAllText(file) : null;
        if (!File.Exists(path))
        {
            return template is null ? null : new("{}", null, null, null, null, template, null, new Dictionary<string, string>());
        }

        var content = File.ReadAllText(path);
        try
        {
            using var document = JsonDocument.Parse(content);
            var json = new JsonFields(document.RootElement.ValueKind == JsonValueKind.Object ? document.RootElement : throw new InvalidDataException("it is not an object"), "");
            var tokens = document.RootElement.EnumerateObject().Select(JsonFields.NameOf).Where(name => name.EndsWith("_token", StringComparison.Ordinal)).Distinct()
                .Select(name => (Name: name, Text: TokenText(json, name))).Where(token => token.Text is not null).ToDictionary(token => token.Name, token => token.Text!);
            return new(content, tokens.GetValueOrDefault("bos_token"), tokens.GetValueOrDefault("eos_token"), Flag(json, "add_bos_token"), Flag(json, "add_eos_token"),
                template ?? Template(json), json.TextOr("tokenizer_class", null), tokens);
        }
        catch (Exception problem) when (problem is JsonException or InvalidDataException)
        {
            throw new InvalidDataException($"{path}: {problem.Message}", problem);
        }
    }

    /// <summary>The configuration that Hugging Face transformers wants beside a tokenizer that we made.</summary>
    public static string Of(string? endOfText, string? unknown) => new JsonObject
    {
        ["tokenizer_class"] = "PreTrainedTokenizerFast",
        ["bos_token"] = endOfText,
        ["eos_token"] = endOfText,
        ["unk_token"] = unknown,
        ["clean_up_tokenization_spaces"] = false,
        ["model_max_length"] = 1_000_000,
    }.ToJsonString(_indented);

    private static bool? Flag(JsonFields json, string name) => json.Field(name) is null ? null : json.Flag(name, false);

    /// <summary>A token is a text, or an object with its content; <c>add_bos_token</c> and the like are flags, not tokens.</summary>
    private static string? TokenText(JsonFields json, string name) => json.Field(name) is not { } field ? null : field.ValueKind switch
    {
        JsonValueKind.String => JsonFields.String(field),
        JsonValueKind.Object => json.Object(name).TextOr("content", null),
        _ => null,
    };

    /// <summary>A template, or of several named ones the default.</summary>
    private static string? Template(JsonFields json) => json.Field("chat_template") is not { } field ? null : field.ValueKind == JsonValueKind.String
        ? JsonFields.String(field) : json.Objects("chat_template").Where(item => item.TextOr("name", null) == "default").Select(item => item.Text("template")).FirstOrDefault();
}
