using System.Globalization;
using System.IO.Compression;
using Toolkit.Text;

namespace Toolkit.Tests.Text;

/// <summary>
/// llama.cpp's vocabulary files with the texts and tokens that it tests itself by (from the package node-llama-cpp). Those that are small enough are fixtures;
/// the others are tested too where TOOLKIT_GGUF_VOCABULARIES names the folder that has them.
/// </summary>
public sealed class LlamaCppVocabularyTests
{
    private const string Separator = "\n__ggml_vocab_test__\n";

    public static TheoryData<string> Vocabularies =>
        [.. Folders.SelectMany(Directory.GetFiles).Where(file => file.EndsWith(".gguf.out", StringComparison.Ordinal)).Select(file => Path.GetFileName(file)[..^".gguf.out".Length]).Distinct().Order()];

    private static IEnumerable<string> Folders =>
        new[] { Path.Combine(Fixtures.Folder, "tokenizers", "llama.cpp"), Environment.GetEnvironmentVariable("TOOLKIT_GGUF_VOCABULARIES") }.OfType<string>().Where(Directory.Exists);

    [Theory]
    [MemberData(nameof(Vocabularies))]
    public void GivesLlamaCppsTokens(string name)
    {
        var folder = Folders.First(folder => File.Exists(Path.Combine(folder, name + ".gguf.out")));
        var tokenizer = Read(folder, name);
        var texts = File.ReadAllText(Path.Combine(folder, name + ".gguf.inp")).Split(Separator);
        texts = texts[^1].Length == 0 ? texts[..^1] : texts;
        var expected = File.ReadAllLines(Path.Combine(folder, name + ".gguf.out"));
        Assert.Equal(expected.Length, texts.Length);
        Assert.True(texts.Length > 40);
        var wrong = texts.Zip(expected).Where(test => Ids(test.Second) is var ids && !ids.SequenceEqual(tokenizer.Encode(test.First)))
            .Select(test => $"'{test.First}': {test.Second} but {string.Join(' ', tokenizer.Encode(test.First))}").ToArray();
        Assert.True(wrong.Length == 0, $"{wrong.Length} of {texts.Length}\n" + string.Join('\n', wrong));
    }

    private static int[] Ids(string line) => [.. line.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(id => int.Parse(id, CultureInfo.InvariantCulture))];

    /// <summary>A vocabulary of the fixtures.</summary>
    internal static GgufVocabulary Vocabulary(string name)
    {
        using var stream = new BrotliStream(File.OpenRead(Path.Combine(Fixtures.Folder, "tokenizers", "llama.cpp", $"ggml-vocab-{name}.gguf.br")), CompressionMode.Decompress);
        return GgufMetadata.ReadVocabulary(stream);
    }

    /// <summary>The texts and tokens of a vocabulary of the fixtures.</summary>
    internal static IEnumerable<(string Text, int[] Ids)> Vectors(string name)
    {
        var path = Path.Combine(Fixtures.Folder, "tokenizers", "llama.cpp", $"ggml-vocab-{name}.gguf");
        return File.ReadAllText(path + ".inp").Split(Separator).Zip(File.ReadAllLines(path + ".out"), (text, line) => (text, Ids(line)));
    }

    private static Tokenizer Read(string folder, string name)
    {
        var path = Path.Combine(folder, name + ".gguf");
        using var stream = File.Exists(path) ? (Stream)File.OpenRead(path) : new BrotliStream(File.OpenRead(path + ".br"), CompressionMode.Decompress);
        return Tokenizer.FromGguf(GgufMetadata.ReadVocabulary(stream));
    }
}
