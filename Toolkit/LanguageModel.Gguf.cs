using System.Text.Json.Nodes;
using Toolkit.Checkpoints;
using Toolkit.Models;
using Toolkit.Text;

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
    public void SaveGguf(string path, GgufType type = GgufType.F16)
    {
        var decoder = Model as Decoder ?? throw new NotSupportedException($"a {Model.ModelType} model cannot be written as GGUF");
        var tokenizer = Tokenizer.Json is { } json ? JsonNode.Parse(json)!.AsObject() : throw new NotSupportedException("the tokenizer cannot be written as GGUF: it is no byte-level BPE");
        decoder.SaveGguf(path, type, GgufModel.TokenizerMetadata(
            tokenizer,
            decoder.VocabularySize,
            decoder.BeginTokenId ?? Known(Tokenizer.BeginOfTextId),
            decoder.Config.EndTokenId ?? Known(Tokenizer.EndOfTextId),
            Tokenizer.ChatTemplate));

        static int? Known(int id) => id >= 0 ? id : null;
    }

    private static Tokenizer LoadTokenizer(string folderOrGguf)
    {
        if (!GgufFile.IsNamed(folderOrGguf))
        {
            return Tokenizer.Load(folderOrGguf);
        }

        using var file = GgufFile.Open(folderOrGguf);
        return GgufModel.ReadTokenizer(file);
    }
}
