using System.Text.Json.Nodes;
using CsCheck;
using Toolkit.Notebook;
using Toolkit.Notebook.Documents;

namespace Notebook.Tests;

public sealed class DibFormatTests
{
    private const string Sample = "#!meta\n\n{\"kernelInfo\":{\"defaultKernelName\":\"csharp\",\"items\":[{\"aliases\":[],\"name\":\"mykernel\"}]}}\n\n"
        + "#!markdown\n\n# Title\n\n#!csharp\n\n#!time\nvar x = 1;\n\n#!mykernel\n\nother\n\n#!html\n\n<b></b>\n";

    [Fact]
    public void CellsByLanguage()
    {
        var document = DibFormat.Read(Sample, "a.dib");
        NotebookRules.Check(document.Json);
        Assert.Equal(["markdown", "code", "code", "code"], document.Cells.Select(cell => cell.Type));
        Assert.Equal("#!time\nvar x = 1;", document.Cells[1].Source);
        Assert.True(document.Cells[1].IsCSharp);
        Assert.Equal("mykernel", document.Cells[2].Language);
        Assert.True(document.Cells[3].IsMarkup);
    }

    [Fact]
    public void WritingReadingWritingIsTheSame()
    {
        var document = DibFormat.Read(Sample, "a.dib");
        Assert.Equal(Sample, DibFormat.Write(document));
        Assert.Equal(Sample, DibFormat.Write(NotebookDocument.Parse(document.ToText(), "a.ipynb")));
    }

    [Fact]
    public void ABrokenMetaCellIsAClearError()
    {
        var problem = Assert.Throws<NotebookFormatException>(() => DibFormat.Read("#!meta\n\n{nonsense\n", "bad.dib"));
        Assert.Contains("bad.dib: line 1: #!meta", problem.Message);
        Assert.Contains("missing.dib", Assert.Throws<NotebookFormatException>(() => DocumentFile.Load("missing.dib")).Message);
    }

    [Fact]
    public void SourcesSurviveBothFormats()
    {
        var line = Gen.String[Gen.Char["abc #!/{}\"; é"], 0, 12];
        Gen.Select(line.List[1, 5], Gen.Int[0, 3].Select(index => new[] { "csharp", "markdown", "html", "fsharp" }[index])).List[1, 6].Sample(cells =>
        {
            var text = string.Concat(cells.Select(cell => $"#!{cell.Item2}\n\nx{string.Join('\n', cell.Item1.Select(inner => inner.Replace("#!", "# ")))}\n\n"));
            var document = DibFormat.Read(text, "generated");
            var again = DibFormat.Read(DibFormat.Write(document), "again");
            return document.Cells.Select(cell => (cell.Type, cell.Language, cell.Source)).SequenceEqual(again.Cells.Select(cell => (cell.Type, cell.Language, cell.Source)));
        }, iter: 500);
    }

    [Fact]
    public void ConvertKeepsUnknownMetadataAttachmentsAndWidgetState()
    {
        using var folder = new TemporaryFolder();
        var (from, to) = (Path.Combine(folder.Path, "a.ipynb"), Path.Combine(folder.Path, "b.ipynb"));
        var json = JsonNode.Parse("""
            {"nbformat":4,"nbformat_minor":5,"metadata":{"widgets":{"application/vnd.jupyter.widget-state+json":{"state":{"a":1}}},"mine":[1,2]},
             "cells":[{"id":"m","cell_type":"markdown","metadata":{"x":{"y":1}},"attachments":{"a.png":{"image/png":"AAAA"}},"source":"![](attachment:a.png)"}]}
            """)!;
        File.WriteAllText(from, json.ToJsonString());
        Assert.Equal(0, ConvertCommand.Run(from, to, TextWriter.Null, TextWriter.Null));
        Assert.True(JsonNode.DeepEquals(json, JsonNode.Parse(File.ReadAllText(to))));
        Assert.Equal(2, ConvertCommand.Run(from, from, TextWriter.Null, TextWriter.Null));
        Assert.Equal(2, ConvertCommand.Run(from, to + ".txt", TextWriter.Null, TextWriter.Null));
    }
}
