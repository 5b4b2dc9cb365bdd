using Toolkit.Text;

namespace Toolkit.Tests.Text;

public sealed class WordPieceTrainerTests
{
    private static readonly string[] _documents = [.. Enumerable.Range(0, 30).Select(i => $"{Texts.Sample} the union of the people, number {i}")];

    [Fact]
    public void LearnsWordsAndPartsOfWords()
    {
        var tokenizer = WordPieceTrainer.Train(["low low low lower lower newest newest newest newest"], 30);
        Assert.Equal(["newest", "lower"], tokenizer.Encode("Newest LOWER").Select(id => tokenizer.TokenText(id).Trim()));
        var parts = tokenizer.Encode("lowest").Select(id => tokenizer.TokenText(id).Trim()).ToArray();
        Assert.Equal("low", parts[0]);
        Assert.Equal("lowest", string.Concat(parts));
        Assert.Equal("newest lower", tokenizer.Decode(tokenizer.Encode("Newest LOWER")));
        Assert.Equal(["[UNK]"], tokenizer.Encode("zebra").Select(tokenizer.TokenText));
    }

    [Fact]
    public void GivesTheSameInAnyOrderAndComesBackFromItsFile()
    {
        var (first, second) = (WordPieceTrainer.Train(_documents, 150), WordPieceTrainer.Train(_documents.Reverse(), 150));
        Assert.Equal(150, first.VocabularySize);
        Assert.Equal(Enumerable.Range(0, 150).Select(first.TokenText), Enumerable.Range(0, 150).Select(second.TokenText));
        var folder = Directory.CreateTempSubdirectory("wordpiece");
        try
        {
            first.Save(folder.FullName);
            var loaded = Tokenizer.Load(folder.FullName);
            Assert.Equal(first.Encode(Texts.Sample, addSpecialTokens: true), loaded.Encode(Texts.Sample, addSpecialTokens: true));
            Assert.Equal(first.EndOfTextId, loaded.EndOfTextId);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void FramesOneTextAndTwo()
    {
        var tokenizer = WordPieceTrainer.Train(_documents, 150);
        var (ids, types) = tokenizer.EncodePair("the union", "the people");
        var (cls, sep) = (tokenizer.TokenId("[CLS]")!.Value, tokenizer.TokenId("[SEP]")!.Value);
        Assert.Equal([cls, .. tokenizer.Encode("the union"), sep, .. tokenizer.Encode("the people"), sep], ids);
        Assert.Equal(types.Order(), types);
        Assert.Equal(tokenizer.Encode("the people").Length + 1, types.Sum());
        Assert.Equal([cls, .. tokenizer.Encode("the union"), sep], tokenizer.Encode("the union", addSpecialTokens: true));
    }

    [Fact]
    public void RefusesAVocabularyWithoutRoom() => Assert.Contains("5 tokens are special", Assert.Throws<ArgumentOutOfRangeException>(() => WordPieceTrainer.Train(["a"], 5)).Message);
}
