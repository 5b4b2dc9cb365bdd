using System.Text.Json.Nodes;
using Toolkit.Notebook;

namespace Notebook.Tests;

public sealed class NotebookRunnerTests
{
    [Fact]
    public async Task Cells_share_variables_types_methods_and_usings()
    {
        var (document, result) = await Run.Cells("using System.Numerics;\nint x = 40; record Pair(int A, int B); int Twice(int n) => 2 * n;", "x += 1;", "new Pair(x, Twice(x)).B + new Vector3(1, 0, 0).X");

        Assert.Null(result.Error);
        Assert.Empty(document.Outputs(1));
        var output = Assert.Single(document.Outputs(2));
        Assert.Equal("execute_result", output.Kind());
        Assert.Equal("83", output.Plain());
        Assert.Equal(3, (int)output!["execution_count"]!);
    }

    [Fact]
    public async Task Top_level_await_works()
    {
        var (document, result) = await Run.Cells("await Task.Delay(1);\nvar a = await Task.FromResult(7);", "await Task.FromResult(a + 1)");

        Assert.Null(result.Error);
        Assert.Equal("8", document.Outputs(1)[0].Plain());
    }

    [Fact]
    public async Task Outputs_keep_their_order_and_streams_are_joined()
    {
        var (document, _) = await Run.Cells("Console.Write(\"a\"); Console.WriteLine(\"b\"); Console.Error.WriteLine(\"e\"); Console.Write(\"c\"); 5.Show(); Console.Write(\"d\"); 6");

        var outputs = document.Outputs(0);
        Assert.Equal(["stream", "stream", "stream", "display_data", "stream", "execute_result"], outputs.Select(output => output.Kind()));
        Assert.Equal("ab\n", outputs[0]!["text"].Joined());
        Assert.Equal("stderr", (string?)outputs[1]!["name"]);
        Assert.Equal("5", outputs[3].Plain());
        Assert.Equal("6", outputs[5].Plain());
    }

    [Fact]
    public async Task An_update_replaces_the_output_of_its_id_even_in_an_earlier_cell()
    {
        var (document, _) = await Run.Cells("var h = \"first\".Show(); var other = \"other\".Show();", "for (var i = 0; i < 1000; i++) h.Update(i);");

        Assert.Equal(["999", "other"], document.Outputs(0).Select(output => output.Plain()));
        Assert.Empty(document.Outputs(1));
    }

    [Fact]
    public async Task An_exception_names_cell_line_source_and_the_users_frames()
    {
        var (document, result) = await Run.Cells("int Half(int n)\n{\n    return 10 / n;\n}", "var a = 1;\n\nvar b = new[] { 0 }.Select(Half).ToList();", "a");

        var error = result.Error!;
        Assert.Equal((2, 3, CellErrorKind.Exception, "System.DivideByZeroException"), (error.Cell, error.Line, error.Kind, error.Name));
        Assert.Equal(2, result.CellsRun);
        Assert.StartsWith("Cell 2, line 3: System.DivideByZeroException", error.Traceback[0]);
        Assert.Contains("new[] { 0 }.Select(Half)", error.Traceback[1]);
        Assert.Contains(error.Traceback, line => line.Contains("at Half in cell 1, line 3"));
        Assert.DoesNotContain(error.Traceback, line => line.Contains("System.Linq.Enumerable.") || line.Contains("MoveNext"));
        var output = Assert.Single(document.Outputs(1));
        Assert.Equal("error", output.Kind());
        Assert.Null(document.Cells[2].Json["execution_count"]);
    }

    [Fact]
    public async Task A_wrong_shape_in_a_compiled_module_names_the_line_of_forward()
    {
        var (_, result) = await Run.Cells(
            """
            using static TorchSharp.torch;
            class Bad : nn.Module<Tensor, Tensor>
            {
                public Bad() : base("Bad") { }
                public override Tensor forward(Tensor x)
                {
                    return x.view(3, 7);
                }
            }
            """,
            "new Bad().Compile(randn(4, 8))");
        var error = result.Error!;
        Assert.Equal("Cell 2, line 1: System.Runtime.InteropServices.ExternalException: shape '[3, 7]' is invalid for input of size 32", error.Traceback[0]);
        Assert.Contains("  at forward in cell 1, line 7", error.Traceback);
        Assert.DoesNotContain(error.Traceback, line => line.Contains("frame #"));
    }

    [Fact]
    public async Task A_compile_error_names_line_and_column_and_keeps_what_ran()
    {
        var (document, result) = await Run.Cells("Console.Write(\"kept\");", "int ok = 1;\nint no = missing + 1;");

        var error = result.Error!;
        Assert.Equal((CellErrorKind.Compilation, 2, 2, "CS0103"), (error.Kind, error.Cell, error.Line, error.Name));
        Assert.StartsWith("Cell 2, line 2, column 10: CS0103", error.Traceback[0]);
        Assert.Equal("kept", document.Outputs(0)[0]!["text"].Joined());
    }

    [Fact]
    public async Task A_cell_that_heeds_the_token_ends_at_its_time_limit()
    {
        var document = NotebookDocument.Of("try { await Task.Delay(-1, Interrupted); } finally { Console.Write(\"saved\"); }", "1");
        var (_, result) = await Run.Document(document, new NotebookRunOptions { CellTimeout = TimeSpan.FromSeconds(2), Grace = TimeSpan.FromSeconds(60) });

        Assert.Equal(CellErrorKind.Timeout, result.Error!.Kind);
        Assert.Contains("2 s", result.Error.Message);
        Assert.Equal("saved", document.Outputs(0)[0]!["text"].Joined());
        Assert.Empty(document.Outputs(1));
    }

    [Fact]
    public async Task A_cell_that_ignores_the_token_is_abandoned()
    {
        // One call of some seconds into code that is not the cell's.
        var document = NotebookDocument.Of("Enumerable.Range(0, int.MaxValue).Aggregate(Math.Max)");
        var (_, result) = await Run.Document(document, new NotebookRunOptions { CellTimeout = TimeSpan.FromSeconds(0.3), Grace = TimeSpan.FromSeconds(0.2) });

        Assert.Contains("abandoned", result.Error!.Message);
        Assert.Equal("error", Assert.Single(document.Outputs(0)).Kind());
    }

    [Fact]
    public async Task Ctrl_C_lets_the_cell_finish_its_step_and_ends_the_run()
    {
        using var source = new CancellationTokenSource();
        var document = NotebookDocument.Of("Console.Write(\"started\"); while (!Interrupted.IsCancellationRequested) await Task.Delay(1);\nConsole.Write(\" saved\");", "1");
        var result = await NotebookRunner.Run(document, observer: new OnText(source.Cancel), cancellation: source.Token);

        Assert.Equal(CellErrorKind.Interrupted, result.Error!.Kind);
        Assert.Equal("started saved", document.Outputs(0)[0]!["text"].Joined());
        Assert.Empty(document.Outputs(1));
    }

    [Fact]
    public async Task Plotly_stands_once_before_the_first_output_that_needs_it()
    {
        var (document, _) = await Run.Cells("var h = 1.Show(); 2.Show();", $"h.Update({Run.FakeChart});\n{Run.FakeChart}");

        Assert.Equal(["plotly.js", "chart", "2"], document.Outputs(0).Select(output => output.Plain()));
        Assert.Matches($"^<script>[^<]*{Run.FakePlotly}[^<]*</script>$", document.Outputs(0)[0]!["data"]!["text/html"].Joined());
        Assert.Equal("chart", Assert.Single(document.Outputs(1)).Plain());
    }

    [Fact]
    public async Task Cells_of_other_languages_are_skipped_and_left_as_they_are()
    {
        var document = NotebookDocument.Parse("""
            {"nbformat":4,"nbformat_minor":2,"metadata":{},"cells":[
            {"cell_type":"code","metadata":{"vscode":{"languageId":"python"}},"source":"print(1)","outputs":[],"execution_count":null},
            {"cell_type":"code","metadata":{},"source":["#!fsharp\n","let a = 1"],"outputs":[],"execution_count":null},
            {"cell_type":"code","metadata":{"polyglot_notebook":{"kernelName":"csharp"}},"source":"#!csharp\n3","outputs":[],"execution_count":null}]}
            """, "mixed.ipynb");
        var (_, result) = await Run.Document(document);

        Assert.Null(result.Error);
        Assert.Equal(1, result.CellsRun);
        Assert.Equal("3", document.Outputs(2)[0].Plain());
    }

    [Fact]
    public async Task Parameters_are_set_after_the_tagged_cell_with_the_type_of_their_literal()
    {
        var document = NotebookDocument.Of("0", "int steps = 1; double rate = 0.5; bool quick = false; string name = \"a\"; float scale = 1f;\nint Read() => steps;", "$\"{Read()} {rate} {quick} {name} {scale} {extra}\"");
        document.Cells[1].Metadata["tags"] = new JsonArray("parameters");
        await Run.Document(document, new NotebookRunOptions { Parameters = ["steps=20", "rate=1e-3", "quick=true", "name=b \"c\" = d", "scale=2.5", "extra=x"] });

        Assert.Equal("20 0.001 True b \"c\" = d 2.5 x", document.Outputs(3)[0].Plain());
        Assert.Contains("injected-parameters", document.Cells[2].Tags);
    }

    [Theory]
    [InlineData("novalue")]
    [InlineData("1x=2")]
    public async Task A_malformed_parameter_is_refused(string value)
    {
        var document = NotebookDocument.Of("int x = 1;");
        document.Cells[0].Metadata["tags"] = new JsonArray("parameters");

        await Assert.ThrowsAsync<ArgumentException>(() => Run.Document(document, new NotebookRunOptions { Parameters = [value] }));
    }

    [Fact]
    public async Task Tensors_can_be_used_without_any_preparation()
    {
        var (document, result) = await Run.Cells("var t = torch.ones(2, 3);", "using (torch.NewDisposeScope())\n{\n    t = t.add(t).DetachFromDisposeScope();\n}\n\nt.sum().item<float>() / 2");

        Assert.True(result.Error is null, result.Error?.Report);
        Assert.Equal("6", document.Outputs(1)[0].Plain());
    }

    [Fact]
    public async Task A_using_declaration_is_refused_with_the_way_to_write_it()
    {
        var (_, result) = await Run.Cells("using var scope = torch.NewDisposeScope();");

        Assert.Contains("using (var scope = ...) { }", result.Error!.Report);
    }

    private sealed class OnText(Action act) : RunObserver
    {
        public override void Happened(SessionEvent happened)
        {
            if (happened is TextWritten)
            {
                act();
            }
        }
    }
}
