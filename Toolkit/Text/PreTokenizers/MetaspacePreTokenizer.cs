namespace Toolkit.Text;

/// <summary>Writes spaces as a visible character, puts one in front, and cuts before each (SentencePiece's way to keep spaces in the vocabulary).</summary>
internal sealed class MetaspacePreTokenizer(char replacement, PrependScheme scheme, bool split) : PreTokenizer
{
    public static MetaspacePreTokenizer Read(JsonFields json)
    {
        var replacement = json.TextOr("replacement", "▁")!;
        return replacement.Length != 1 ? throw json.Problem("replacement", $"is '{replacement}', not one character")
            : new(replacement[0], Scheme(json), json.Flag("split", true));
    }

    /// <summary>When a space is put in front; files of before 2023 say only whether.</summary>
    public static PrependScheme Scheme(JsonFields json) => json.TextOr("prepend_scheme", json.Flag("add_prefix_space", true) ? "always" : "never") switch
    {
        "always" => PrependScheme.Always,
        "first" => PrependScheme.First,
        "never" => PrependScheme.Never,
        var other => throw json.Problem("prepend_scheme", $"is {other}"),
    };

    public override void Split(TextSlice slice, List<TextSlice> parts)
    {
        var text = slice.Span.ToString().Replace(' ', replacement);
        if ((scheme == PrependScheme.Always || (scheme == PrependScheme.First && slice.AtStart)) && !text.StartsWith(replacement))
        {
            text = replacement + text;
        }

        var whole = new TextSlice(text, 0, text.Length, slice.AtStart);
        if (!split)
        {
            parts.Add(whole);
            return;
        }

        for (var begin = 0; begin < text.Length;)
        {
            var next = text.IndexOf(replacement, begin + 1);
            var end = next < 0 ? text.Length : next;
            parts.Add(whole.Part(begin, end));
            begin = end;
        }
    }
}

/// <summary>Where a space is put in front of a text.</summary>
internal enum PrependScheme
{
    Always,
    First,
    Never,
}
