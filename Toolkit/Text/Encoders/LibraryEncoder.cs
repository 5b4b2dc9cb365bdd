using Microsoft.ML.Tokenizers;

namespace Toolkit.Text;

/// <summary>Encodes pieces with Microsoft.ML.Tokenizers, which knows byte-level byte-pair encoding for every valid UTF-16 text.</summary>
internal sealed class LibraryEncoder(BytePairModel model, Func<string, List<TextSlice>> split)
{
    private readonly BpeTokenizer _library = BpeTokenizer.Create(new BpeOptions(model.Vocabulary)
    {
        // It refuses a merge that is listed twice, which changes nothing.
        Merges = model.Merges.Distinct().Select(merge => $"{merge.Left} {merge.Right}"),
        ByteLevel = true,
        PreTokenizer = new Pieces(split),
    });

    /// <summary>Appends the tokens of a text.</summary>
    public void Encode(string text, List<int> ids) => ids.AddRange(_library.EncodeToIds(text, considerPreTokenization: true, considerNormalization: false));

    private sealed class Pieces(Func<string, List<TextSlice>> split) : Microsoft.ML.Tokenizers.PreTokenizer
    {
        public override IEnumerable<(int Offset, int Length)> PreTokenize(string text) => split(text).Select(piece => (piece.Offset, piece.Length));

        public override IEnumerable<(int Offset, int Length)> PreTokenize(ReadOnlySpan<char> text) => PreTokenize(text.ToString());
    }
}
