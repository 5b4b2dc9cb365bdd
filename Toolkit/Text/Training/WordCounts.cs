using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace Toolkit.Text;

/// <summary>Counts the different words of documents, with all cores.</summary>
internal static class WordCounts
{
    /// <summary>The words with how often they occur, in an order that does not depend on the threads.</summary>
    /// <param name="documents">The text.</param>
    /// <param name="split">Tells each word of a document.</param>
    public static List<(string Word, long Count)> Of(IEnumerable<string> documents, Action<string, PieceAction> split)
    {
        var parts = new ConcurrentBag<Dictionary<string, long>>();
        Parallel.ForEach<string, Dictionary<string, long>>(
            Partitioner.Create(documents, EnumerablePartitionerOptions.NoBuffering),
            new ParallelOptions { CancellationToken = Interruption.Token },
            () => new Dictionary<string, long>(StringComparer.Ordinal),
            (document, _, words) =>
            {
                var lookup = words.GetAlternateLookup<ReadOnlySpan<char>>();
                split(document, word => CollectionsMarshal.GetValueRefOrAddDefault(lookup, word, out bool _)++);
                return words;
            },
            parts.Add);
        var all = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var (word, count) in parts.SelectMany(part => part))
        {
            all[word] = all.GetValueOrDefault(word) + count;
        }

        return [.. all.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => (pair.Key, pair.Value))];
    }

    /// <summary>The words that a normalizer and pre-tokenizers leave of a document.</summary>
    public static Action<string, PieceAction> By(Normalizer normalizer, IReadOnlyList<PreTokenizer> steps) => (document, each) =>
    {
        var text = normalizer.Normalize(document);
        var parts = new List<TextSlice> { new(text, 0, text.Length, true) };
        foreach (var step in steps)
        {
            var finer = new List<TextSlice>();
            parts.ForEach(part => step.Split(part, finer));
            parts = finer;
        }

        parts.ForEach(part => each(part.Span));
    };
}
