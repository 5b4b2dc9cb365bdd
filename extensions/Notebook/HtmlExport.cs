using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Markdig;
using Toolkit.Display;

namespace Toolkit.Notebook;

/// <summary>A notebook as one HTML file that needs no network: own styles, coloured code, outputs in place, plotly.js once where a chart needs it.</summary>
public static partial class HtmlExport
{
    private static readonly MarkdownPipeline Markdown = new MarkdownPipelineBuilder().UseAdvancedExtensions().Build();

    /// <summary>Writes the page of a document.</summary>
    public static void Save(NotebookDocument document, string path, string title)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        File.WriteAllText(path, Render(document, title));
    }

    /// <summary>The page of a document as text.</summary>
    public static string Render(NotebookDocument document, string title)
    {
        var body = new StringBuilder();
        var library = "";
        foreach (var cell in document.Cells)
        {
            switch (cell.Type)
            {
                case "markdown":
                    body.Append("<section class=\"text\">").Append(RenderMarkdown(cell)).AppendLine("</section>");
                    break;
                case "code":
                    library = RenderCode(body, cell) ?? library;
                    break;
                default:
                    body.Append("<pre class=\"raw\">").Append(WebUtility.HtmlEncode(cell.Source)).AppendLine("</pre>");
                    break;
            }
        }

        return $"""
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>{WebUtility.HtmlEncode(title)}</title>
            <style>
            {Style()}
            </style>
            {library}
            </head>
            <body>
            <main>
            {body}
            </main>
            </body>
            </html>

            """;
    }

    private static string RenderMarkdown(NotebookCell cell)
    {
        var html = Markdig.Markdown.ToHtml(cell.Source, Markdown);
        return cell.Json["attachments"] is JsonObject attachments ? Attachment().Replace(html, match => Embedded(attachments, match)) : html;
    }

    private static string Embedded(JsonObject attachments, Match match)
    {
        var name = Uri.UnescapeDataString(match.Groups[1].Value);
        return attachments[name] is JsonObject { Count: > 0 } kinds && NotebookCell.Text(kinds.First().Value) is { } data
            ? $"src=\"data:{kinds.First().Key};base64,{data}\""
            : match.Value;
    }

    private static string? RenderCode(StringBuilder body, NotebookCell cell)
    {
        var count = cell.Json["execution_count"] is JsonValue number ? number.ToJsonString() : " ";
        body.Append("<section class=\"cell\"><div class=\"count\">[").Append(count).Append("]</div><div class=\"inside\">");
        if (cell.Source.Length > 0)
        {
            body.Append("<pre class=\"code\">").Append(cell.IsCSharp ? CodeColouring.ToHtml(cell.Source) : WebUtility.HtmlEncode(cell.Source)).Append("</pre>");
        }

        string? library = null;
        foreach (var output in ((JsonArray)cell.Json["outputs"]!).OfType<JsonObject>())
        {
            if (output["metadata"] is JsonObject metadata && metadata.ContainsKey(CellOutputs.LibraryMark))
            {
                library = Join((output["data"] as JsonObject)?[MimeBundle.HtmlType]);
                continue;
            }

            RenderOutput(body, output);
        }

        body.AppendLine("</div></section>");
        return library;
    }

    private static void RenderOutput(StringBuilder body, JsonObject output)
    {
        switch (NotebookCell.Text(output["output_type"]))
        {
            case "stream":
                var name = NotebookCell.Text(output["name"]) == "stderr" ? " stderr" : "";
                body.Append($"<pre class=\"stream{name}\">").Append(WebUtility.HtmlEncode(Settled(Join(output["text"])))).Append("</pre>");
                break;
            case "error":
                var lines = output["traceback"] is JsonArray trace ? string.Join('\n', trace.Select(NotebookCell.Text)) : "";
                body.Append("<pre class=\"error\">").Append(WebUtility.HtmlEncode(TerminalColour().Replace(lines, ""))).Append("</pre>");
                break;
            default:
                RenderRich(body, output["data"] as JsonObject ?? []);
                break;
        }
    }

    private static void RenderRich(StringBuilder body, JsonObject data)
    {
        var image = data.FirstOrDefault(part => part.Key is "image/png" or "image/jpeg" or "image/gif" or "image/webp");
        if (data[MimeBundle.HtmlType] is { } html)
        {
            body.Append("<div class=\"output\">").Append(Join(html)).Append("</div>");
        }
        else if (data["image/svg+xml"] is { } drawing)
        {
            body.Append("<div class=\"output\">").Append(Join(drawing)).Append("</div>");
        }
        else if (image.Key is not null)
        {
            body.Append($"<div class=\"output\"><img alt=\"\" src=\"data:{image.Key};base64,{Join(image.Value).Replace("\n", "")}\"></div>");
        }
        else if (data["text/markdown"] is { } markdown)
        {
            body.Append("<div class=\"output\">").Append(Markdig.Markdown.ToHtml(Join(markdown), Markdown)).Append("</div>");
        }
        else
        {
            body.Append("<pre class=\"plain\">").Append(WebUtility.HtmlEncode(Join(data[MimeBundle.PlainType]))).Append("</pre>");
        }
    }

    private static string Join(JsonNode? node) => node is JsonArray lines ? string.Concat(lines.Select(NotebookCell.Text)) : NotebookCell.Text(node) ?? node?.ToJsonString() ?? "";

    // A carriage return starts the line again, as on a terminal: only the last state of a progress line is kept.
    private static string Settled(string text) =>
        TerminalColour().Replace(string.Join('\n', text.Split('\n').Select(line => line.TrimEnd('\r')).Select(line => line[(line.LastIndexOf('\r') + 1)..])), "");

    private static string Style()
    {
        using var reader = new StreamReader(typeof(HtmlExport).Assembly.GetManifestResourceStream("HtmlExport.css")!);
        return reader.ReadToEnd().TrimEnd();
    }

    [GeneratedRegex("src=\"attachment:([^\"]+)\"")]
    private static partial Regex Attachment();

    [GeneratedRegex("\u001b\\[[0-9;]*[A-Za-z]")]
    private static partial Regex TerminalColour();
}
