using Markdig;
using Toolkit.Display;

namespace Toolkit.Notebook.Magics;

/// <summary>Cells in another language than C#: shown as what they are.</summary>
internal static class Markup
{
    private static readonly MarkdownPipeline _pipeline = new MarkdownPipelineBuilder().UseAdvancedExtensions().Build();

    /// <summary>The representations of a text in <c>html</c>, <c>markdown</c>, <c>svg</c> or <c>javascript</c>.</summary>
    public static MimeBundle Bundle(string language, string text) => new(language switch
    {
        "html" => new Dictionary<string, string> { [MimeBundle.HtmlType] = text, [MimeBundle.PlainType] = text },
        "svg" => new() { [MimeBundle.HtmlType] = text, ["image/svg+xml"] = text, [MimeBundle.PlainType] = text },
        "javascript" => new() { ["application/javascript"] = text, [MimeBundle.HtmlType] = $"<script type=\"module\">{text}</script>", [MimeBundle.PlainType] = text },
        _ => new() { [MimeBundle.HtmlType] = Markdown.ToHtml(text, _pipeline), ["text/markdown"] = text, [MimeBundle.PlainType] = text },
    });
}
