using Microsoft.ML.Tokenizers;

namespace Toolkit.Text;

/// <summary>Encodes with Microsoft.ML.Tokenizers, which knows byte-level byte-pair encoding for every valid UTF-16 text.</summary>
internal sealed class LibraryEncoder(TokenizerFile file)
{
    private readonly BpeTokenizer _library = BpeTokenizer.Create(new BpeOptions(file.Vocabulary)
    {
        // It refuses a merge that is listed twice, which changes nothing.
        Merges = file.Merges.Distinct().Select(merge => $"{merge.Left} {merge.Right}"),
        ByteLevel = true,
        PreTokenizer = new Pieces(file),
    });

    /// <summary>Appends the tokens of a text.</summary>
    public void Encode(ReadOnlySpan<char> text, List<int> ids) => ids.AddRange(_library.EncodeToIds(text, considerPreTokenization: true, considerNormalization: false));

    private sealed class Pieces(TokenizerFile file) : PreTokenizer
    {
        public override IEnumerable<(int Offset, int Length)> PreTokenize(string text) => Split(text);

        public override IEnumerable<(int Offset, int Length)> PreTokenize(ReadOnlySpan<char> text) => Split(text);

        private List<(int Offset, int Length)> Split(ReadOnlySpan<char> text)
        {
            var pieces = new List<(int Offset, int Length)>(text.Length / 4);
            TextPieces.Split(text, file.Split, pieces);
            return pieces;
        }
    }
}
