using System.Net;
using Toolkit.Display;

namespace Toolkit.Polyglot;

/// <summary>A bundle as the two texts that every front end of .NET Interactive draws: HTML, and plain text beside it.</summary>
internal static class BundleText
{
    public static Dictionary<string, string> Parts(MimeBundle bundle) => new()
    {
        [MimeBundle.HtmlType] = Html(bundle),
        [MimeBundle.PlainType] = bundle.Plain,
    };

    /// <summary>The HTML of a bundle; where it has none, its picture or its text as HTML.</summary>
    public static string Html(MimeBundle bundle)
    {
        if (bundle.Html is { } html)
        {
            return html;
        }

        var (type, picture) = bundle.Parts.FirstOrDefault(part => part.Key.StartsWith("image/", StringComparison.Ordinal));
        return type switch
        {
            null => $"<pre style=\"white-space:pre-wrap\">{WebUtility.HtmlEncode(bundle.Plain)}</pre>",
            "image/svg+xml" => picture,
            _ => $"<img alt=\"{WebUtility.HtmlEncode(bundle.Plain)}\" src=\"data:{type};base64,{picture.ReplaceLineEndings("")}\">",
        };
    }
}
