namespace Toolkit.Display;

/// <summary>One displayable thing in several representations, keyed by MIME type. Every bundle has at least <c>text/plain</c>.</summary>
/// <param name="Parts">MIME type to text, for example <c>text/html</c> and <c>text/plain</c>.</param>
public sealed record MimeBundle(IReadOnlyDictionary<string, string> Parts)
{
    /// <summary>MIME type of an HTML fragment.</summary>
    public const string HtmlType = "text/html";

    /// <summary>MIME type of plain text.</summary>
    public const string PlainType = "text/plain";

    /// <summary>Whether the HTML draws with plotly.js: a host embeds the library once in a document, before the first such output.</summary>
    public bool NeedsPlotly { get; init; }

    /// <summary>How far a live output is, from 0 to 1; null for an output that is final. A host that cannot replace outputs skips most of the others.</summary>
    public double? Completion { get; init; }

    /// <summary>The HTML fragment, or null where there is none.</summary>
    public string? Html => Parts.GetValueOrDefault(HtmlType);

    /// <summary>The plain text that a terminal shows.</summary>
    public string Plain => Parts.GetValueOrDefault(PlainType, "");

    /// <summary>A bundle of plain text alone.</summary>
    public static MimeBundle Text(string plain) => new(new Dictionary<string, string> { [PlainType] = plain });

    /// <summary>A bundle of HTML and its plain-text twin.</summary>
    public static MimeBundle Of(string html, string plain) => new(new Dictionary<string, string> { [HtmlType] = html, [PlainType] = plain });
}
