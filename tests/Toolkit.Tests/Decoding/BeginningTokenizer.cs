using System.Text;
using System.Text.Json.Nodes;
using Toolkit.Text;

namespace Toolkit.Tests.Decoding;

/// <summary>The tokenizer of <see cref="TinyModel"/> as families with a beginning have it: an end of text in front of every text, and a chat template that writes it itself.</summary>
internal static class BeginningTokenizer
{
    public const string Begin = "<|endoftext|>";

    public const string Template = """{{ bos_token }}{% for message in messages %}[{{ message.role }}] {{ message.content }} {% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}""";

    /// <summary>Writes tokenizer.json and tokenizer_config.json.</summary>
    /// <param name="folder">A folder that is there.</param>
    /// <param name="template">Whether tokenizer.json puts the beginning in front.</param>
    /// <param name="configuration">Fields of tokenizer_config.json.</param>
    public static Tokenizer Write(string folder, bool template = true, string configuration = "\"tokenizer_class\": \"PreTrainedTokenizerFast\"")
    {
        TinyModel.Tokenizer.Save(folder);
        var path = Path.Combine(folder, "tokenizer.json");
        var json = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        var id = TinyModel.Tokenizer.EndOfTextId;
        json["post_processor"] = !template ? null : JsonNode.Parse($$"""
            {
              "type": "TemplateProcessing",
              "single": [ { "SpecialToken": { "id": "{{Begin}}", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } } ],
              "pair": [ { "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 1 } } ],
              "special_tokens": { "{{Begin}}": { "id": "{{Begin}}", "ids": [ {{id}} ], "tokens": [ "{{Begin}}" ] } }
            }
            """);
        File.WriteAllText(path, json.ToJsonString());
        File.WriteAllText(
            Path.Combine(folder, "tokenizer_config.json"),
            $$"""{ {{configuration}}, "bos_token": "{{Begin}}", "eos_token": "{{Begin}}", "chat_template": {{JsonValue.Create(Template)!.ToJsonString()}} }""",
            new UTF8Encoding(false));
        return Tokenizer.Load(folder);
    }
}
