namespace Toolkit.Text;

/// <summary>Puts a space before every token that begins a word, and takes it away again before punctuation and contractions of English.</summary>
internal sealed class WordPieceDecoder(string prefix, bool cleanup) : TokenDecoder
{
    private static readonly (string Written, string Meant)[] _cleanups =
    [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"), (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ];

    /// <summary>Text without the spaces that no writer would put.</summary>
    public static string Clean(string text) => _cleanups.Aggregate(text, (current, rule) => current.Replace(rule.Written, rule.Meant, StringComparison.Ordinal));

    public override List<string> Decode(List<string> tokens) => [.. tokens.Select((token, index) =>
    {
        var text = index == 0 ? token : prefix.Length > 0 && token.StartsWith(prefix, StringComparison.Ordinal) ? token[prefix.Length..] : " " + token;
        return cleanup ? Clean(text) : text;
    })];
}
