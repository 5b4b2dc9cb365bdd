using System.Text.RegularExpressions;
using Toolkit.Notebook;

namespace Notebook.Tests;

public sealed partial class HtmlExportTests
{
    [Fact]
    public async Task The_page_needs_no_network_and_holds_plotly_once()
    {
        var (document, _) = await Run.Cells(Run.FakeChart, Run.FakeChart, "Console.WriteLine(\"<b>text</b>\");");
        var html = HtmlExport.Render(document, "a <title>");

        Assert.Equal(1, Count(html, Run.FakePlotly));
        Assert.True(html.IndexOf(Run.FakePlotly, StringComparison.Ordinal) < html.IndexOf("<div>chart</div>", StringComparison.Ordinal));
        Assert.Equal(2, Count(html, "<div>chart</div>"));
        Assert.Contains("&lt;b&gt;text&lt;/b&gt;", html);
        Assert.Contains("a &lt;title&gt;", html);
        Assert.DoesNotMatch(Remote(), html);
        Assert.DoesNotContain("@import", html);
        Assert.DoesNotContain("url(", html);
    }

    [Fact]
    public async Task A_page_without_charts_has_no_script()
    {
        var (document, _) = await Run.Cells("1");

        Assert.DoesNotContain("<script", HtmlExport.Render(document, "n"));
    }

    [Fact]
    public void Markdown_tables_and_attached_images_are_rendered()
    {
        var document = NotebookDocument.Parse("""
            {"nbformat":4,"metadata":{},"cells":[{"cell_type":"markdown","metadata":{},"attachments":{"a b.png":{"image/png":"QUJD"}},
            "source":"# Head\n\n|a|b|\n|-|-|\n|1|2|\n\n![x](attachment:a%20b.png)"}]}
            """, "m.ipynb");
        var html = HtmlExport.Render(document, "m");

        Assert.Matches("<h1[^>]*>Head</h1>", html);
        Assert.Contains("<td>2</td>", html);
        Assert.Contains("src=\"data:image/png;base64,QUJD\"", html);
    }

    [Theory]
    [InlineData("var a = new List<int> { 1 }; // note <b>\nreturn \"x & y\" + $\"{a}\" + 'c';")]
    [InlineData("#r \"x\"\nclass { ( broken \"")]
    [InlineData("/* open")]
    public void Colouring_changes_no_character(string code)
    {
        var html = CodeColouring.ToHtml(code);

        Assert.Equal(code, System.Net.WebUtility.HtmlDecode(Tag().Replace(html, "")));
    }

    [Fact]
    public void Colouring_knows_keywords_strings_numbers_and_comments()
    {
        var html = CodeColouring.ToHtml("int x = 5; // note\nvar s = \"t\";");

        Assert.Contains("<span class=\"keyword\">int</span>", html);
        Assert.Contains("<span class=\"keyword\">var</span>", html);
        Assert.Contains("<span class=\"number\">5</span>", html);
        Assert.Contains("<span class=\"comment\">// note</span>", html);
        Assert.Contains("<span class=\"string\">&quot;t&quot;</span>", html);
    }

    [Fact]
    public async Task A_progress_line_is_shown_in_its_last_state()
    {
        var (document, _) = await Run.Cells("Console.Write(\"10%\\r50%\\r100%\\n\");");

        Assert.Contains("<pre class=\"stream\">100%\n</pre>", HtmlExport.Render(document, "n"));
    }

    private static int Count(string text, string part) => text.Split(part).Length - 1;

    [GeneratedRegex("<(script|link|img|iframe)[^>]*(src|href)\\s*=\\s*[\"']?(https?:)?//", RegexOptions.IgnoreCase)]
    private static partial Regex Remote();

    [GeneratedRegex("</?span[^>]*>")]
    private static partial Regex Tag();
}
