using Toolkit.Checkpoints;
using Toolkit.Models;
using Toolkit.Text;
using static TorchSharp.torch;

namespace Toolkit.Tests;

/// <summary>A model and its tokenizer in one file.</summary>
public sealed class LanguageModelGgufTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gguf-language");

    private string FilePath => Path.Combine(_folder.FullName, "model.gguf");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(300)] // the model has more tokens than the tokenizer
    [InlineData(320)]
    public void ComesBackWithItsTokenizer(int vocabulary)
    {
        var tokenizer = Tokenizer.Train(["the quick brown fox jumps over the lazy dog, and the quick dog jumps over the brown fox"], vocabulary);
        using var model = LanguageModel.Create(DecoderConfig.Llama(2, 32, 4, 2, 320, feedForwardWidth: 64), tokenizer, seed: 3);
        model.SaveGguf(FilePath, GgufType.F32);
        using var loaded = LanguageModel.Load(FilePath);
        foreach (var text in new[] { "the fox", "Ünïcødé 🙂 text\n\n  and spaces", "" })
        {
            var ids = tokenizer.Encode(text);
            Assert.Equal(ids, loaded.Tokenizer.Encode(text));
            Assert.Equal(text, loaded.Tokenizer.Decode(ids));
        }

        Assert.Equal(tokenizer.EndOfTextId, loaded.Tokenizer.EndOfTextId);
        Assert.Equal(model.Generate("the quick", 20, temperature: 0).Select(token => token.Id), loaded.Generate("the quick", 20, temperature: 0).Select(token => token.Id));

        // What was loaded can be saved again, and the file is the same.
        loaded.SaveGguf(FilePath + ".again.gguf", GgufType.F32);
        Assert.Equal(File.ReadAllBytes(FilePath), File.ReadAllBytes(FilePath + ".again.gguf"));
    }

    [Fact]
    public void ATextGoesIntoLlamaCppAndComesOutTheSame()
    {
        var tokenizer = Tokenizer.Train(["the quick brown fox jumps over the lazy dog, and the quick dog jumps over the brown fox"], 300);
        using var model = LanguageModel.Create(DecoderConfig.Llama(2, 32, 4, 2, 300, feedForwardWidth: 64), tokenizer, seed: 3);
        using (no_grad())
        {
            foreach (var matrix in model.Model.parameters().Where(parameter => parameter.dim() == 2))
            {
                matrix.mul_(8);
            }
        }

        model.SaveGguf(FilePath, GgufType.F32);
        var ids = tokenizer.Encode("the lazy fox, and the dog");
        var theirs = Checkpoints.LlamaCpp.NextTokens(FilePath, ids.Select(id => (long)id));
        using var scope = NewDisposeScope();
        var ours = model.Model.Forward(tensor(ids.Select(id => (long)id).ToArray()).unsqueeze(0), null)[0].argmax(-1).data<long>().ToArray();
        Assert.Equal(ours.Select(id => (int)id), theirs.Select(top => top[0].Token));
    }

    [Fact]
    public void AFileWithoutATokenizerIsNamed()
    {
        using var model = Decoder.Create(DecoderConfig.Llama(1, 32, 4, 2, 300, feedForwardWidth: 64), seed: 3);
        model.SaveGguf(FilePath);
        Assert.Contains($"{FilePath}: the metadata lacks \"tokenizer.ggml.tokens\"", Assert.Throws<CheckpointException>(() => LanguageModel.Load(FilePath)).Message);
    }
}
