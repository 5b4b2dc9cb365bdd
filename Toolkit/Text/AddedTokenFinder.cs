namespace Toolkit.Text;

/// <summary>Finds added tokens in a text: at each place the longest one, from left to right.</summary>
internal sealed class AddedTokenFinder
{
    private readonly AddedToken[] _tokens;
    private readonly PieceTrie _trie = new();
    private readonly System.Buffers.SearchValues<char> _first;

    /// <param name="tokens">The tokens.</param>
    /// <param name="spelling">How each is looked for.</param>
    public AddedTokenFinder(IEnumerable<AddedToken> tokens, Func<AddedToken, string> spelling)
    {
        var spelt = tokens.Select(token => (Token: token, Text: spelling(token))).Where(pair => pair.Text.Length > 0).ToArray();
        _tokens = [.. spelt.Select(pair => pair.Token)];
        _first = System.Buffers.SearchValues.Create([.. spelt.Select(pair => pair.Text[0]).Distinct()]);
        foreach (var (index, (_, text)) in spelt.Index())
        {
            _trie.Add(text, index);
        }
    }

    /// <summary>Cuts a text into added tokens and the text between them (token null); empty parts are left out.</summary>
    /// <param name="text">The text.</param>
    /// <param name="special">Whether special tokens are looked for too.</param>
    public IEnumerable<(AddedToken? Token, int Begin, int End)> Split(string text, bool special)
    {
        var done = 0;
        if (_tokens.Length > 0)
        {
            foreach (var (token, begin, end) in Matches(text, special))
            {
                if (end <= done)
                {
                    continue;
                }

                var from = Math.Max(begin, done);
                if (from > done)
                {
                    yield return (null, done, from);
                }

                yield return (token, from, end);
                done = end;
            }
        }

        if (done < text.Length)
        {
            yield return (null, done, text.Length);
        }
    }

    private IEnumerable<(AddedToken Token, int Begin, int End)> Matches(string text, bool special)
    {
        for (var at = 0; at < text.Length;)
        {
            var skip = text.AsSpan(at).IndexOfAny(_first);
            if (skip < 0)
            {
                yield break;
            }

            at += skip;
            var index = _trie.Longest(text.AsSpan(at), out var length);
            if (index < 0)
            {
                at++;
                continue;
            }

            var token = _tokens[index];
            if ((special || !token.Special) && !(token.SingleWord && TouchesWord(text, at, at + length)))
            {
                yield return Strip(text, token, at, at + length);
            }

            at += length;
        }
    }

    private static (AddedToken Token, int Begin, int End) Strip(string text, AddedToken token, int begin, int end)
    {
        while (token.LeftStrip && begin > 0 && char.IsWhiteSpace(text[begin - 1]))
        {
            begin--;
        }

        while (token.RightStrip && end < text.Length && char.IsWhiteSpace(text[end]))
        {
            end++;
        }

        return (token, begin, end);
    }

    private static bool TouchesWord(string text, int begin, int end) =>
        (begin > 0 && Characters.IsWord(PointBefore(text, begin))) || (end < text.Length && Characters.IsWord(Characters.At(text, end, out _)));

    private static int PointBefore(string text, int index) =>
        index > 1 && char.IsSurrogatePair(text[index - 2], text[index - 1]) ? char.ConvertToUtf32(text[index - 2], text[index - 1]) : text[index - 1];
}
