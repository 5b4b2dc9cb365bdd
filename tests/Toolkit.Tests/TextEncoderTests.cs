using Toolkit.Checkpoints;
using Toolkit.Models;
using Toolkit.Text;
using static TorchSharp.torch;

namespace Toolkit.Tests;

public sealed class TextEncoderTests : IDisposable
{
    private static readonly string[] Sentences = [.. Enumerable.Range(0, 60).Select(i => $"My fellow citizens, the {(i % 2 == 0 ? "state" : "spirit")} of the union is strong in year {i}.")];

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("encoder");

    private static Tokenizer Words { get; } = WordPieceTrainer.Train(Sentences, 120);

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void ABatchOfTextsIsEveryTextAlone()
    {
        using var encoder = Create();
        string[] texts = ["The union.", "My fellow citizens, the state of the union is strong.", "", "Strong!", "is it?"];
        var together = encoder.Embed(texts, batchSize: 3);
        for (var i = 0; i < texts.Length; i++)
        {
            using var scope = NewDisposeScope();
            var ids = tensor(Words.Encode(texts[i], addSpecialTokens: true).Select(id => (long)id).ToArray()).unsqueeze(0);
            Assert.Equal((Words.TokenId("[CLS]"), Words.TokenId("[SEP]")), ((int)ids[0, 0].item<long>(), (int)ids[0, -1].item<long>()));
            Close(encoder.Model.Embed(ids, null)[0].data<float>().ToArray(), together[i]);
            Close(encoder.Embed(texts[i]), together[i]);
            Assert.Equal(1, together[i].Sum(x => x * x), 1e-5f);
        }

        Assert.NotEqual(together[0], together[1]);
    }

    [Fact]
    public void ALongTextKeepsItsBeginningAndWhatIsAroundIt()
    {
        using var encoder = Create();
        using var scope = NewDisposeScope();
        var text = string.Join(' ', Sentences);
        var own = Words.Encode(text);
        var ids = new[] { Words.TokenId("[CLS]")!.Value }.Concat(own.Take(30)).Append(Words.TokenId("[SEP]")!.Value).Select(id => (long)id).ToArray();
        Close(encoder.Model.Embed(tensor(ids).unsqueeze(0), null)[0].data<float>().ToArray(), encoder.Embed(text));
        using var narrow = Create(maxTokens: 2);
        Assert.Contains("2 are around it", Assert.Throws<InvalidOperationException>(() => narrow.Embed(text)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Pooling.Mean, true)]
    [InlineData(Pooling.FirstToken, false)]
    public void SavedAndLoadedItMakesTheSameVectors(Pooling pooling, bool normalise)
    {
        using var own = Create(maxTokens: 20);
        (own.Pooling, own.Normalise) = (pooling, normalise);
        own.Save(_folder.FullName);
        using var loaded = TextEncoder.Load(_folder.FullName);
        Assert.Equal((pooling, normalise, 20), (loaded.Pooling, loaded.Normalise, loaded.MaxTokens));
        Assert.Equal(own.Embed(Sentences), loaded.Embed(Sentences));
        Assert.Equal(own.ToString(), loaded.ToString());
    }

    [Theory]
    [InlineData("1_Pooling/config.json", """{"pooling_mode_max_tokens":true}""", "pooling_mode_max_tokens is not supported")]
    [InlineData("1_Pooling/config.json", """{"pooling_mode_mean_tokens":true,"pooling_mode_cls_token":true}""", "pooling_mode_mean_tokens with pooling_mode_cls_token")]
    [InlineData("1_Pooling/config.json", "[", "config.json")]
    [InlineData("modules.json", """[{"type":"sentence_transformers.models.Dense"}]""", "a module Dense is not supported")]
    [InlineData("sentence_bert_config.json", """{"max_seq_length":"many"}""", "sentence_bert_config.json")]
    public void OtherWaysToMakeVectorsAreRefused(string file, string content, string expected)
    {
        using var encoder = Create();
        encoder.Save(_folder.FullName);
        File.WriteAllText(Path.Combine(_folder.FullName, file), content);
        var problem = Assert.ThrowsAny<Exception>(() => TextEncoder.Load(_folder.FullName));
        Assert.True(problem is NotSupportedException or InvalidDataException, problem.ToString());
        Assert.Contains(expected, problem.Message, StringComparison.Ordinal);
        Assert.Contains(_folder.FullName, problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TextsAreFoundByTheirSimilarity()
    {
        using var encoder = Create();
        string[] texts = ["is it?", "The union.", "My fellow citizens, the state of the union is strong.", "Strong!"];
        var found = encoder.Search("The union.", texts);
        Assert.Equal(("The union.", 1), (found[0].Text, found[0].Index));
        Assert.Equal(1, found[0].Similarity, 1e-5f);
        Assert.Equal([0, 1, 2, 3], found.Select(match => match.Index).Order());
        Assert.Equal(found.Select(match => match.Similarity).OrderDescending(), found.Select(match => match.Similarity));
        Assert.All(found, match => Assert.Equal(encoder.Similarity("The union.", match.Text), match.Similarity, 1e-5f));
        Assert.Equal(found.Take(2).Select(match => match.Index), encoder.Search("The union.", texts, most: 2).Select(match => match.Index));

        // A vector need not have length one.
        encoder.Normalise = false;
        Assert.All(encoder.Search("The union.", texts).Zip(found), pair => Assert.Equal(pair.Second.Similarity, pair.First.Similarity, 1e-5f));
        Assert.Empty(encoder.Search("The union.", []));
    }

    [Fact]
    public void AnEncoderIsOpenedByItsName()
    {
        using var own = Create(maxTokens: 20);
        own.Pooling = Pooling.FirstToken;
        var snapshot = Path.Combine(_folder.FullName, "models--org--encoder", "snapshots", new string('c', 40));
        own.Save(snapshot);
        Directory.CreateDirectory(Path.Combine(_folder.FullName, "models--org--encoder", "refs"));
        File.WriteAllText(Path.Combine(_folder.FullName, "models--org--encoder", "refs", "v1"), new string('c', 40));
        var cache = new ModelCache(new ModelCacheOptions { Folder = _folder.FullName, Offline = true });
        using var loaded = TextEncoder.Load("org/encoder", revision: "v1", cache: cache);
        Assert.Equal(own.Embed(Sentences[..4]), loaded.Embed(Sentences[..4]));
        Assert.Contains("'main'", Assert.Throws<CheckpointException>(() => TextEncoder.Load("org/encoder", cache: cache)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ATokenizerLargerThanTheModelIsRefused() => Assert.Contains(
        "vocabulary of 8", Assert.Throws<ArgumentException>(() => TextEncoder.Create(Bert.Create(Shape(8), 1), Words)).Message, StringComparison.Ordinal);

    private static BertConfig Shape(int vocabulary) =>
        new() { VocabularySize = vocabulary, Width = 16, Layers = 2, Heads = 2, FeedForwardWidth = 32, MaxPositions = 32 };

    private static TextEncoder Create(int maxTokens = 32)
    {
        var model = Bert.Create(Shape(Words.VocabularySize), 3);
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        foreach (var parameter in model.parameters())
        {
            parameter.mul_(5);
        }

        var encoder = TextEncoder.Create(model, Words);
        encoder.MaxTokens = maxTokens;
        return encoder;
    }

    private static void Close(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 1e-5f));
    }
}
