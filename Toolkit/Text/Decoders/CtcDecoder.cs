namespace Toolkit.Text;

/// <summary>Joins what a speech model heard: repetitions are one token, the pad token is nothing, a delimiter is a space (Graves et al., 2006).</summary>
internal sealed class CtcDecoder(string pad, string delimiter, bool cleanup) : TokenDecoder
{
    public override List<string> Decode(List<string> tokens)
    {
        var parts = new List<string>(tokens.Count);
        foreach (var token in tokens.Where((token, index) => index == 0 || token != tokens[index - 1]))
        {
            var text = pad.Length == 0 ? token : token.Replace(pad, "", StringComparison.Ordinal);
            text = !cleanup ? text : delimiter.Length == 0 ? WordPieceDecoder.Clean(text) : WordPieceDecoder.Clean(text).Replace(delimiter, " ", StringComparison.Ordinal);
            if (text.Length > 0)
            {
                parts.Add(text);
            }
        }

        return parts;
    }
}
