using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using Toolkit.Notebook;

namespace Notebook.Tests;

public sealed class NotebookDocumentTests
{
    private const string Sample = """
        {"nbformat":4,"nbformat_minor":4,"custom":{"deep":[1,2.50,null,"ü"]},
         "metadata":{"kernelspec":{"name":".net-csharp","display_name":"x","language":"C#"},"theirs":{"a":true}},
         "cells":[
          {"cell_type":"markdown","metadata":{"m":1},"source":["# T\n","x"],"attachments":{"p.png":{"image/png":"AAAA"}}},
          {"cell_type":"code","id":"same","metadata":{"collapsed":false,"odd":{"k":[]}},"source":"1+1","outputs":[],"execution_count":3},
          {"cell_type":"code","id":"same","metadata":{},"source":["var s = \"a\";\n","s"],"outputs":[],"execution_count":null},
          {"cell_type":"raw","metadata":{"format":"text/latex"},"source":""}]}
        """;

    [Fact]
    public async Task A_run_keeps_everything_that_it_does_not_know()
    {
        var document = NotebookDocument.Parse(Sample, "s.ipynb");
        await Run.Document(document);
        var read = JsonNode.Parse(document.ToText())!;
        var before = JsonNode.Parse(Sample)!;

        Assert.True(JsonNode.DeepEquals(before["custom"], read["custom"]));
        Assert.True(JsonNode.DeepEquals(before["metadata"]!["theirs"], read["metadata"]!["theirs"]));
        for (var i = 0; i < 4; i++)
        {
            Assert.True(JsonNode.DeepEquals(before["cells"]![i]!["metadata"], read["cells"]![i]!["metadata"]));
            Assert.True(JsonNode.DeepEquals(before["cells"]![i]!["source"], read["cells"]![i]!["source"]));
        }

        Assert.True(JsonNode.DeepEquals(before["cells"]![0]!["attachments"], read["cells"]![0]!["attachments"]));
        Assert.Equal("same", (string?)read["cells"]![1]!["id"]);
        Assert.Contains("ü", document.ToText());
    }

    [Fact]
    public void Writing_and_reading_again_changes_nothing()
    {
        var document = NotebookDocument.Parse(Sample, "s.ipynb");

        Assert.Equal(document.ToText(), NotebookDocument.Parse(document.ToText(), "s.ipynb").ToText());
    }

    [Theory]
    [InlineData("", "line 1")]
    [InlineData("{\n \"nbformat\": 4,\n \"cells\": [,]\n}", "line 3")]
    [InlineData("[]", "the document")]
    [InlineData("null", "the document")]
    [InlineData("{\"nbformat\":3,\"metadata\":{},\"worksheets\":[]}", "nbformat 3")]
    [InlineData("{\"nbformat\":\"4\"}", "nbformat")]
    [InlineData("{\"nbformat\":4,\"metadata\":{}}", "cells")]
    [InlineData("{\"nbformat\":4,\"metadata\":[],\"cells\":[]}", "metadata")]
    [InlineData("{\"nbformat\":4,\"metadata\":{},\"cells\":[7]}", "cells[0]")]
    [InlineData("{\"nbformat\":4,\"metadata\":{},\"cells\":[{\"cell_type\":\"heading\",\"source\":\"\"}]}", "cells[0].cell_type")]
    [InlineData("{\"nbformat\":4,\"metadata\":{},\"cells\":[{\"cell_type\":\"code\",\"source\":5}]}", "cells[0].source")]
    [InlineData("{\"nbformat\":4,\"metadata\":{},\"cells\":[{\"cell_type\":\"code\",\"source\":[\"a\",5]}]}", "cells[0].source[1]")]
    [InlineData("{\"nbformat\":4,\"metadata\":{},\"cells\":[{\"cell_type\":\"code\",\"source\":\"\",\"outputs\":{}}]}", "cells[0].outputs")]
    [InlineData("{\"nbformat\":4,\"nbformat\":4,\"metadata\":{},\"cells\":[]}", "nbformat")]
    [InlineData("{\"nbformat\":4,\"metadata\":{\"kernelspec\":{\"name\":\"python3\"}},\"cells\":[]}", "python3")]
    [InlineData("{\"nbformat\":4,\"metadata\":{},\"cells\":[{\"cell_type\":\"code\",\"source\":\"\\ud800\"}]}", "s.ipynb")]
    public void A_malformed_notebook_is_refused_with_file_and_place(string text, string place)
    {
        var error = Assert.Throws<NotebookFormatException>(() => NotebookDocument.Parse(text, "s.ipynb"));

        Assert.StartsWith("s.ipynb: ", error.Message);
        Assert.Contains(place, error.Message);
    }

    [Fact]
    public void Five_hundred_damaged_notebooks_are_read_or_refused_clearly()
    {
        var random = new Random(7);
        var original = Encoding.UTF8.GetBytes(Sample);
        var refused = 0;
        for (var i = 0; i < 500; i++)
        {
            var bytes = original.ToArray().AsSpan();
            for (var change = random.Next(1, 6); change > 0; change--)
            {
                bytes[random.Next(bytes.Length)] = random.Next(2) == 0 ? (byte)random.Next(256) : "{}[]\",:0n\\"u8[random.Next(10)];
            }

            var text = Encoding.UTF8.GetString(bytes[..random.Next(bytes.Length / 2, bytes.Length + 1)]);
            try
            {
                var document = NotebookDocument.Parse(text, "s.ipynb");
                document.PrepareForExecution();
                NotebookRules.Check(document.Json);
                HtmlExport.Render(document, "s");
                _ = document.ToText();
            }
            catch (NotebookFormatException error)
            {
                refused++;
                Assert.StartsWith("s.ipynb: ", error.Message);
            }
        }

        Assert.InRange(refused, 100, 500);
    }

    [Fact]
    public void Five_hundred_notebooks_with_values_of_other_kinds_are_read_or_refused_clearly()
    {
        var random = new Random(11);
        for (var i = 0; i < 500; i++)
        {
            var root = JsonNode.Parse(Sample)!;
            Mutate(root, random);
            try
            {
                var document = NotebookDocument.Parse(root.ToJsonString(), "s.ipynb");
                document.PrepareForExecution();
                NotebookRules.Check(document.Json);
                HtmlExport.Render(document, "s");
            }
            catch (NotebookFormatException error)
            {
                Assert.StartsWith("s.ipynb: ", error.Message);
            }
        }
    }

    [Fact]
    public async Task The_reference_implementation_accepts_what_is_written()
    {
        const string python = "/usr/bin/python3";
        const string program = "import sys, nbformat; nbformat.validate(nbformat.read(sys.argv[1], as_version=4))";
        if (!File.Exists(python) || await Python(python, "import nbformat") is { Code: not 0 })
        {
            Assert.Skip("python3-nbformat is not installed");
        }

        var document = NotebookDocument.Parse(Sample, "s.ipynb");
        document.Json.Remove("custom"); // the schema forbids it; kept all the same
        document.Insert(1, $"Console.WriteLine(1); 5.Show();\n{Run.FakeChart}");
        document.Insert(4, "throw new Exception(\"end\");");
        await Run.Document(document);
        using var folder = new TemporaryFolder();
        document.Save(folder.File("run.ipynb"));

        var (code, said) = await Python(python, program, folder.File("run.ipynb"));
        Assert.True(code == 0, said);
    }

    private static void Mutate(JsonNode root, Random random)
    {
        var all = new List<JsonNode>();
        Collect(root, all);
        JsonNode? value = random.Next(6) switch
        {
            0 => null,
            1 => random.Next(-5, 5),
            2 => "text",
            3 => new JsonArray(1, "a", null),
            4 => new JsonObject { ["image/png"] = 5 },
            _ => 4.5,
        };
        switch (all[random.Next(all.Count)])
        {
            case JsonObject { Count: > 0 } target:
                target[target.ElementAt(random.Next(target.Count)).Key] = value;
                break;
            case JsonArray { Count: > 0 } target:
                target[random.Next(target.Count)] = value;
                break;
        }
    }

    private static void Collect(JsonNode node, List<JsonNode> all)
    {
        all.Add(node);
        foreach (var child in node is JsonObject inner ? inner.Select(part => part.Value) : node is JsonArray list ? list : [])
        {
            if (child is JsonObject or JsonArray)
            {
                Collect(child, all);
            }
        }
    }

    private static async Task<(int Code, string Said)> Python(string python, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(python, arguments.Prepend("-c")) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        var said = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, said);
    }
}
