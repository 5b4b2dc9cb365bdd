using Toolkit.Decoding;
using Toolkit.Display;

namespace Toolkit;

/// <summary>Verbs over generated tokens.</summary>
public static class TokenStream
{
    /// <summary>Writes the text of the tokens to the output as they come.</summary>
    /// <example><code>model.Generate("My fellow citizens,", tokens: 100).Stream();</code></example>
    public static void Stream(this IEnumerable<GeneratedToken> tokens)
    {
        foreach (var token in tokens)
        {
            if (token.Text.Length > 0)
            {
                Output.Write(token.Text);
            }
        }
    }

    /// <summary>Generates to the end and returns the whole text.</summary>
    public static string ToText(this IEnumerable<GeneratedToken> tokens) => string.Concat(tokens.Select(token => token.Text));
}
