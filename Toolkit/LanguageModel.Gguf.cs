using System.Text.Json.Nodes;
using Toolkit.Checkpoints;

namespace Toolkit;

/// <content>Models in one file for llama.cpp.</content>
public sealed partial class LanguageModel
{
    /// <summary>
    /// Saves the model and its tokenizer as one GGUF file, which llama.cpp runs and <see cref="Load"/> reads: models of the families Llama, Mistral, Qwen 2 and
    /// GPT-2 with a byte-level BPE tokenizer. Blocks of numbers are computed as llama.cpp computes them, bit for bit.
    /// </summary>
    /// <param name="path">The file; its folder must exist.</param>
    /// <param name="type">How to store the matrices: F32, F16, BF16, Q8_0 or Q4_0. Vectors are F32.</param>
    /// <exception cref="NotSupportedException">GGUF has no place for the family, an option of it, or a part of the tokenizer.</exception>
    /// <exception cref="CheckpointException">The file cannot be written.</exception>
    /// <example><code>model.SaveGguf("model-q8_0.gguf", GgufType.Q8_0);</code></example>
    public void SaveGguf(string path, GgufType type = GgufType.F16) => Decoder.SaveGguf(path, type, TokenizerMetadata());

    private IEnumerable<KeyValuePair<string, object>> TokenizerMetadata()
    {
        var folder = Directory.CreateTempSubdirectory("toolkit-tokenizer");
        try
        {
            Tokenizer.Save(folder.FullName);
            var tokenizer = Json(Path.Combine(folder.FullName, "tokenizer.json")) ?? throw new NotSupportedException("the tokenizer cannot be written as GGUF: it is no byte-level BPE");
            var chat = Json(Path.Combine(folder.FullName, "tokenizer_config.json"))?["chat_template"];
            int? end = Decoder.Config.EndTokenId ?? (Tokenizer.EndOfTextId >= 0 ? Tokenizer.EndOfTextId : null);
            return GgufModel.TokenizerMetadata(tokenizer, Decoder.Config.VocabularySize, Decoder.Config.BeginTokenId, end, chat is JsonValue text ? text.ToString() : null);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static JsonObject? Json(string path) => File.Exists(path) ? JsonNode.Parse(File.ReadAllText(path)) as JsonObject : null;
}
