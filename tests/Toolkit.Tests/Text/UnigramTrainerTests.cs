using CsCheck;
using Toolkit.Text;

namespace Toolkit.Tests.Text;

public sealed class UnigramTrainerTests
{
    private static readonly string[] _documents = [.. Enumerable.Range(0, 30).Select(i => $"{Texts.Sample} the union of the people, number {i}")];

    [Fact]
    public void LearnsTheWordsOfTheText()
    {
        var reports = new List<UnigramTrainingProgress>();
        var tokenizer = UnigramTrainer.Train(_documents, 110, reports.Add);
        Assert.Equal(110, tokenizer.VocabularySize);
        Assert.Contains("▁the", Enumerable.Range(0, 110).Select(id => tokenizer.TokenText(id).Replace(' ', '▁')));
        Assert.Equal("the people of the union", tokenizer.Decode(tokenizer.Encode("the people of the union")));
        Assert.True(tokenizer.Encode("the people of the union").Length <= 7);
        Assert.True(reports.Count > 2);
        Assert.Equal(reports.OrderByDescending(report => report.Pieces), reports);
        Assert.All(reports, report => Assert.True(report.LogLikelihood is < 0 and > -100, report.ToString()));
    }

    [Fact]
    public void ExpectationMaximizationNeverLosesLikelihood()
    {
        List<(string, long)> words = [("▁the", 9), ("▁then", 4), ("▁hen", 3), ("▁ten", 2)];
        string[] pieces = ["▁", "t", "h", "e", "n", "he", "▁t", "▁the", "en"];
        var lattice = new UnigramLattice([.. pieces.Select(piece => (piece, Math.Log(1.0 / pieces.Length)))]);
        var likelihoods = Enumerable.Range(0, 6).Select(_ => lattice.Fit(words)).ToArray();
        Assert.True(likelihoods[^1] > likelihoods[0]);
    }

    [Fact]
    public void EncodesByTheMostProbableSpelling() => Gen.String[Gen.Char["abc"], 1, 9].Sample(text =>
    {
        (string Piece, double Score)[] pieces = [("<unk>", 0), ("a", -3), ("b", -3.5), ("c", -4), ("ab", -4.5), ("bc", -5), ("abc", -9), ("ca", -5.25), ("aba", -6.125)];
        var ids = new List<int>();
        UnigramModel.Of(pieces, 0, false).Encoder().Encode(text, ids);
        Assert.Equal(text, string.Concat(ids.Select(id => pieces[id].Piece)));
        Assert.Equal(Best(text), ids.Sum(id => pieces[id].Score), 9);
        double Best(string rest) => rest.Length == 0 ? 0 : pieces.Skip(1).Where(piece => rest.StartsWith(piece.Piece, StringComparison.Ordinal)).Max(piece => piece.Score + Best(rest[piece.Piece.Length..]));
    }, iter: 500);

    [Fact]
    public void GivesTheSameInAnyOrderAndComesBackFromItsFile()
    {
        var (first, second) = (UnigramTrainer.Train(_documents, 110), UnigramTrainer.Train(_documents.Reverse(), 110));
        Assert.Equal(Enumerable.Range(0, 110).Select(first.TokenText), Enumerable.Range(0, 110).Select(second.TokenText));
        var folder = Directory.CreateTempSubdirectory("unigram");
        try
        {
            first.Save(folder.FullName);
            var loaded = Tokenizer.Load(folder.FullName);
            Assert.Equal(first.Encode(Texts.Sample), loaded.Encode(Texts.Sample));
            Assert.Equal(first.EndOfTextId, loaded.EndOfTextId);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
