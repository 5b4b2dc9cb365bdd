using CsCheck;
using Toolkit.Notebook;

namespace Notebook.Tests;

/// <summary>Whatever a cell does in managed code, an interrupt ends it, and the session goes on.</summary>
public sealed class InterruptTests
{
    private const string Model = "var tokenizer = Tokenizer.Train([\"abc\"], 257);\n"
        + "var model = LanguageModel.Create(DecoderConfig.Llama(layers: 8, width: 256, heads: 4, keyValueHeads: 2, vocabularySize: 260, maxPositions: 4_100), tokenizer);\n";

    [Theory]
    [InlineData("while (true) { }")]
    [InlineData("while (true) ;")]
    [InlineData("for (;;) count++; // a comment at the end")]
    [InlineData("do count++; while (true);")]
    [InlineData("foreach (var i in Enumerable.Repeat(1, int.MaxValue)) foreach (var j in Enumerable.Repeat(1, int.MaxValue)) { }")]
    [InlineData("while (true) { try { throw new Exception(); } catch { } }")]
    [InlineData("while (true) { try { Thread.Sleep(1); } finally { count++; } }")]
    [InlineData("void Loop() { while (true) { } }\nLoop();")]
    [InlineData("static class Deep { public static int Loop(int n) { for (; ; n++) { } } }\nDeep.Loop(1)")]
    [InlineData("Action loop = () => { while (true) { count++; } };\nloop();")]
    [InlineData("await Task.Delay(-1);")]
    [InlineData("async Task<int> Slow() { await Task.Delay(100_000); return 1; }\nawait Slow()")]
    [InlineData("async IAsyncEnumerable<int> All() { while (true) { await Task.Yield(); yield return 1; } }\nawait foreach (var i in All()) { count++; }")]
    [InlineData("again: count++;\ngoto again;")]
    [InlineData("Enumerable.Repeat(\"x\", 50_000_000).ToList().ForEach(Output.Write);")]
    [InlineData("Enumerable.Range(0, 100_000_000).Track(\"work\").All(i => { Thread.Sleep(10); return true; })")]
    [InlineData("Thread.Sleep(100_000);")]
    [InlineData("await Task.Yield();\nThread.Sleep(100_000);")]
    [InlineData("Task.Delay(-1).Wait();")]
    [InlineData("new SemaphoreSlim(0).Wait();")]
    [InlineData("Parallel.For(0, 4, i => { while (true) { } });")]
    [InlineData("Tokenizer.Train([string.Join(' ', Enumerable.Range(0, 2_000_000).Select(i => $\"w{i * 2654435761L % 1000003}\"))], 500_000)")]
    [InlineData(Model + "model.Train(TokenizedCorpus.FromIds(new int[1 << 20], [1]), new TrainingOptions { Steps = 1_000_000 }).ToList()")]
    [InlineData(Model + "model.Generate(\"a\", new GenerationOptions { MaxTokens = 4_000, StopAtEndOfText = false }).ToList()")]
    [InlineData(Model + "Perplexity.Evaluate(model.Model, TokenizedCorpus.FromIds(new int[1 << 24], [1]))")]
    [InlineData(Model + "DecodeBenchmark.Measure(model.Model, 16, 4_000, new MachineCeiling(1e10, 1e11, 2))")]
    public async Task AnInterruptEndsTheCellAndKeepsTheVariables(string code)
    {
        using var session = new ScriptSession();
        Assert.Null(await session.Run(new RunCell("long count = 1; var kept = 7;", 1), _ => { }, cancellation: TestContext.Current.CancellationToken));
        using var interrupt = new CancellationTokenSource();
        interrupt.CancelAfter(TimeSpan.FromMilliseconds(400));

        var error = await session.Run(new RunCell(code, 2), _ => { }, cancellation: interrupt.Token).WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

        Assert.True(error is { Kind: CellErrorKind.Interrupted }, error?.Report ?? "the cell ended by itself");
        var events = new List<SessionEvent>();
        Assert.Null(await session.Run(new RunCell("kept", 3), events.Add, cancellation: TestContext.Current.CancellationToken));
        Assert.Equal("7", Assert.IsType<ResultProduced>(events[^1]).Bundle.Plain);
    }

    [Fact]
    public void NoLineIsAddedAndTheCodeStaysComplete() => Gen.Int[0, Pieces.Length - 1].Array[1, 6].Sample(chosen =>
    {
        var code = string.Join('\n', chosen.Select(index => Pieces[index]));
        var rewritten = InterruptRewriter.Rewrite(code);
        Assert.Equal(code.Count(character => character == '\n'), rewritten.Count(character => character == '\n'));
        Assert.Empty(Microsoft.CodeAnalysis.CSharp.CSharpSyntaxTree.ParseText(
            rewritten, new Microsoft.CodeAnalysis.CSharp.CSharpParseOptions(kind: Microsoft.CodeAnalysis.SourceCodeKind.Script), cancellationToken: TestContext.Current.CancellationToken).GetDiagnostics());
    }, iter: 500, threads: 1);

    [Fact]
    public async Task AnErrorIsToldInTheUsersOwnWords()
    {
        using var session = new ScriptSession();
        var error = await session.Run(new RunCell("while (true) { int x = \"a\"; }", 1), _ => { }, cancellation: TestContext.Current.CancellationToken);
        Assert.Contains("Cell 1, line 1, column 24", error!.Report);
        Assert.DoesNotContain("CellInterrupt", error.Report);
    }

    private static readonly string[] Pieces =
    [
        "while (a) b(); // end", "for (var i = 0; i < 3; i++)\n    b();\n// next", "do\n{\n    b();\n}\nwhile (a);", "foreach (var (x, y) in z) c(x); /* c */", "if (a) while (b) { } else c();",
        "await t; // after", "var r = await f(await g(1), 2);", "int M(int n)\n{\n    return n;\n}", "#region r\nwhile (a)\n{ // open\n}\n#endregion", "lock (a) for (;;) break;",
        "var s = $\"{await t}\";", "switch (a) { case 1: while (b) c(); break; }", "async Task Q() => await t;", "class C { int P { get { for (;;) { } } } }",
    ];

    [Theory]
    [InlineData("int Down(int n) => Down(n + 1) + 1;\nDown(0)")]
    [InlineData("int Down(int n) { return Down(n + 1) + 1; }\nDown(0)")]
    [InlineData("class A { public void M() => M(); }\nnew A().M();")]
    public async Task EndlessRecursionIsAnErrorThatTheSessionSurvives(string code)
    {
        var (document, result) = await Run.Document(NotebookDocument.Of(code));
        Assert.Equal("System.InsufficientExecutionStackException", result.Error!.Name);
        Assert.NotEmpty(document.Outputs(0));
    }

    [Fact]
    public async Task ExpressionBodiesKeepTheirMeaning()
    {
        var (document, result) = await Run.Cells(
            "int Add(int a, int b) => a + b; // sum\nvoid Say(string text) => Console.Write(text);\nasync Task Wait() => await Task.Delay(1);\nasync Task<int> Later() => await Task.FromResult(5);\n"
            + "int Never() => throw new NotSupportedException();\nint[] cells = [1, 2];\nref int At(int i) => ref cells[i];\nSay(\"x\");\nawait Wait();\nAt(0) = 7;\nAdd(1, 2) + await Later() + cells[0]",
            "Never()");
        Assert.Equal("15", document.Outputs(0)[^1].Plain());
        Assert.Equal("System.NotSupportedException", result.Error!.Name);
        Assert.Contains("cell 1, line 5", result.Error.Report);
    }
}
