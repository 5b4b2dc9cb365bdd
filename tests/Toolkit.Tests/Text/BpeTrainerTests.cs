using System.Text;
using CsCheck;
using Toolkit.Text;

namespace Toolkit.Tests.Text;

public sealed class BpeTrainerTests
{
    [Fact]
    public void LearnsTheMostFrequentPairFirst()
    {
        var tokenizer = BpeTrainer.Train(["abab abab abab cd"], 259);
        Assert.Equal(259, tokenizer.VocabularySize);
        Assert.Equal("ab", tokenizer.TokenText(256));
        Assert.Equal("abab", tokenizer.TokenText(257));
        Assert.Equal(258, tokenizer.EndOfTextId);
    }

    [Fact]
    public void EqualsCountingAllPairsAnewForEveryMerge() => Gen.String[Gen.Char["aab c"], 1, 30].Array[1, 6].Sample(documents =>
    {
        var expected = CountAnew(documents, 20);
        var learned = BpeTrainer.Train(documents, BpeTrainer.SmallestVocabulary + 20);
        Assert.Equal(expected, Enumerable.Range(256, learned.VocabularySize - 257).Select(learned.TokenText));
    }, iter: 2_000);

    [Fact]
    public void GivesTheSameVocabularyInAnyOrderOfDocuments()
    {
        var documents = Enumerable.Range(0, 50).Select(i => $"{Texts.Sample} number {i} of {i * 7}").ToArray();
        var first = BpeTrainer.Train(documents, 500);
        var second = BpeTrainer.Train(documents.Reverse(), 500);
        Assert.Equal(Enumerable.Range(0, 500).Select(first.TokenText), Enumerable.Range(0, 500).Select(second.TokenText));
    }

    [Fact]
    public void StopsWhereNothingIsLeftToMerge()
    {
        var tokenizer = BpeTrainer.Train(["ab"], 10_000);
        Assert.Equal(258, tokenizer.VocabularySize);
        Assert.Equal(257, BpeTrainer.Train([], 300).VocabularySize);
    }

    [Fact]
    public void RefusesAVocabularyWithoutRoomForTheBytes() =>
        Assert.Contains("a vocabulary of 256 is too small", Assert.Throws<ArgumentOutOfRangeException>(() => BpeTrainer.Train(["a"], 256)).Message);

    [Fact]
    public void ReportsProgress()
    {
        var reports = new List<BpeTrainingProgress>();
        BpeTrainer.Train([Texts.Sample], 457, reports.Add);
        Assert.Equal(new BpeTrainingProgress(0, 200), reports[0]);
        Assert.Equal(reports[^1].TotalMerges, reports[^1].Merges);
        Assert.True(reports.Count > 2);
        Assert.Equal(reports.OrderBy(report => report.Merges), reports);
    }

    /// <summary>The definition, without any bookkeeping: the slow twin. Ties go to the pair whose symbols are older.</summary>
    private static List<string> CountAnew(string[] documents, int wanted)
    {
        var spellings = Enumerable.Range(0, 256).Select(value => Encoding.Latin1.GetString([(byte)value])).ToList();
        var words = documents.SelectMany(document =>
        {
            return WordSplitterTests.Split(document).Select(piece => piece.Select(character => (int)character).ToList());
        }).ToList();
        while (spellings.Count < 256 + wanted)
        {
            var pairs = words.SelectMany(word => word.Zip(word.Skip(1))).GroupBy(pair => pair)
                .Select(group => (group.Key.First, group.Key.Second, Count: group.Count()))
                .OrderByDescending(pair => pair.Count).ThenBy(pair => pair.First).ThenBy(pair => pair.Second).ToArray();
            if (pairs.Length == 0)
            {
                break;
            }

            var (left, right, _) = pairs[0];
            var spelling = spellings[left] + spellings[right];
            var symbol = spellings.IndexOf(spelling);
            if (symbol < 0)
            {
                symbol = spellings.Count;
                spellings.Add(spelling);
            }

            foreach (var word in words)
            {
                for (var i = 0; i + 1 < word.Count; i++)
                {
                    if (word[i] == left && word[i + 1] == right)
                    {
                        word[i] = symbol;
                        word.RemoveAt(i + 1);
                    }
                }
            }
        }

        return spellings[256..];
    }
}
