using System.Globalization;
using System.Text;

namespace Toolkit.Display;

/// <summary>The tokens of a text as coloured chips: whitespace visible, the id in the tooltip.</summary>
/// <param name="tokens">Id and text of every token, in order.</param>
/// <param name="title">Title above the chips; empty for none.</param>
public sealed class TokenView(IEnumerable<(int Id, string Text)> tokens, string title = "") : IDisplayable
{
    private const int Colours = 5;

    private const int MostTokens = 2000;

    private readonly (int Id, string Text)[] _tokens = [.. tokens];

    /// <summary>The tokens of <paramref name="ids"/>, with the text that <paramref name="textOf"/> gives for each.</summary>
    public TokenView(IEnumerable<int> ids, Func<int, string> textOf, string title = "")
        : this(ids.Select(id => (id, textOf(id))), title)
    {
    }

    /// <inheritdoc/>
    public MimeBundle ToMimeBundle()
    {
        var html = new StringBuilder("<div class=\"tk-tokens\">");
        for (var index = 0; index < Math.Min(_tokens.Length, MostTokens); index++)
        {
            var (id, text) = _tokens[index];
            html.Append(CultureInfo.InvariantCulture, $"<span class=\"tk-token tk-c{index % Colours}\" title=\"id {id}, position {index}\">");
            html.Append(Visible(text)).Append("</span>");
            html.Append(text.Contains('\n') ? "<br/>" : "");
        }

        return MimeBundle.Of(Fragment.Box($"{html}</div>{Fragment.Note(Summary())}", title), Plain());
    }

    private static string Visible(string text)
    {
        if (text.Length == 0)
        {
            return "<span class=\"tk-space\">∅</span>";
        }

        var result = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
        {
            result.Append(rune.Value switch
            {
                ' ' => "<span class=\"tk-space\">·</span>",
                '\n' => "<span class=\"tk-space\">↵</span>",
                '\r' => "<span class=\"tk-space\">␍</span>",
                '\t' => "<span class=\"tk-space\">⇥</span>",
                _ => Fragment.Encode(rune.ToString()),
            });
        }

        return result.ToString();
    }

    private static string VisiblePlain(string text) => text.Length == 0
        ? "∅"
        : string.Concat(text.Select(c => c switch { ' ' => '·', '\n' => '↵', '\t' => '⇥', < ' ' or '\u007f' => Fragment.Picture(c), _ => c }));

    private string Summary()
    {
        var characters = _tokens.Sum(token => (long)token.Text.Length);
        var hidden = _tokens.Length > MostTokens ? $", the first {Units.Count(MostTokens)} shown" : "";
        var ratio = _tokens.Length > 0 ? $", {Units.Fixed(characters / (double)_tokens.Length, 2)} characters a token" : "";
        return $"{Units.Count(_tokens.Length)} tokens, {Units.Count(characters)} characters{ratio}{hidden}";
    }

    private string Plain()
    {
        var shown = _tokens.Take(MostTokens).ToArray();
        var lines = new StringBuilder(title.Length > 0 ? title + "\n" : "");
        lines.AppendJoin('|', shown.Select(token => VisiblePlain(token.Text))).Append('\n');
        lines.Append("ids: ").AppendJoin(' ', shown.Select(token => token.Id.ToString(CultureInfo.InvariantCulture))).Append('\n');
        return lines.Append(Summary()).ToString();
    }
}
