using Toolkit.Notebook;

namespace Notebook.Tests;

/// <summary>Lines <c>#!name</c> in cells.</summary>
public sealed class SessionCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task ACellMayHoldSeveralLanguages()
    {
        var (document, result) = await Run.Cells("var x = 1;\n#!html\n<b>a</b>\n#!csharp\nx + 1", "#!markdown\n# Title", "#!svg\n<svg></svg>", "#!javascript\nlet a = 1;");
        Assert.Null(result.Error);
        Assert.Equal("<b>a</b>", document.Outputs(0)[0]!["data"]!["text/html"].Joined());
        Assert.Equal("2", document.Outputs(0)[1].Plain());
        Assert.Contains("<h1", document.Outputs(1)[0]!["data"]!["text/html"].Joined());
        Assert.NotNull(document.Outputs(2)[0]!["data"]!["image/svg+xml"]);
        Assert.NotNull(document.Outputs(3)[0]!["data"]!["application/javascript"]);
    }

    [Fact]
    public async Task LinesKeepTheirNumbers()
    {
        var (_, result) = await Run.Cells("#!html\n<i></i>\n#!csharp\n\nthrow new Exception(\"five\");");
        Assert.Equal(5, result.Error!.Line);
    }

    [Fact]
    public async Task WhatLooksLikeACommandInsideAStringIsText()
    {
        var (document, result) = await Run.Cells("var s = @\"\n#!html\n\";\ns.Length");
        Assert.Null(result.Error);
        Assert.Equal("8", document.Outputs(0)[0].Plain());
    }

    [Fact]
    public async Task VariablesWithTypeShapeAndBytes()
    {
        var (document, result) = await Run.Cells("var t = torch.ones(2, 3);\nvar names = new List<string> { \"a\" };\nint n = 5;\nvar gone = torch.ones(1); gone.Dispose();", "n = 6;\n#!whos", "#!who", "int n = 7;\n#!whos");
        Assert.Null(result.Error);
        var table = document.Outputs(1)[0].Plain();
        Assert.Matches(@"t\s+Tensor\s+\(2, 3\)\s+24", table);
        Assert.Matches(@"names\s+List<string>\s+\(1\)\s+\[a\]", table);
        Assert.Matches(@"n\s+int\s+6", table);
        Assert.Contains("(disposed)", table);
        Assert.Contains("names", document.Outputs(2)[0].Plain());
        Assert.Matches(@"n\s+int\s+7", document.Outputs(3)[0].Plain());
    }

    [Fact]
    public async Task TimeIsShownAndUnknownCommandsAreErrors()
    {
        var (document, result) = await Run.Cells("#!time\nThread.Sleep(30);", "1\n#!nothing");
        Assert.Matches(@"Wall time: \d+\.\d ms", document.Outputs(0)[0].Plain());
        Assert.Equal(2, result.Error!.Line);
        Assert.Contains("#!whos", result.Error.Message);
    }

    [Fact]
    public async Task ImportRunsOtherDocuments()
    {
        NotebookDocument.Of("var fromNotebook = 1;").Save(Path.Combine(_folder.Path, "a.ipynb"));
        File.WriteAllText(Path.Combine(_folder.Path, "b.dib"), "#!markdown\n\ntext\n\n#!csharp\n\nvar fromDib = 2;\n");
        File.WriteAllText(Path.Combine(_folder.Path, "c.csx"), "var fromScript = 3;");
        File.WriteAllText(Path.Combine(_folder.Path, "loop.dib"), "#!csharp\n\n#!import loop.dib\n");
        var (document, result) = await Run.Document(
            NotebookDocument.Of("#!import a.ipynb\n#!import b.dib\n#!import c.csx", "fromNotebook + fromDib + fromScript", "#!import loop.dib"), new() { WorkingFolder = _folder.Path });
        Assert.Equal("6", document.Outputs(1)[0].Plain());
        Assert.Contains("imports itself", result.Error!.Message);
    }

    [Fact]
    public async Task ClearTakesOutputsAwayAndDisplayIsShow()
    {
        var (document, result) = await Run.Cells("Console.WriteLine(1);\n2.Display();\nOutput.Clear();\n3.Display();");
        Assert.Null(result.Error);
        Assert.Equal("3", Assert.Single(document.Outputs(0)).Plain());
    }

    [Fact]
    public async Task ABackgroundThreadThatThrowsLeavesTheSessionAlive()
    {
        var (document, result) = await Run.Cells("var thread = new Thread(() => throw new InvalidOperationException(\"behind\"));\nthread.Start();\nThread.Sleep(300);", "40 + 2");
        Assert.Null(result.Error);
        Assert.Contains("behind", document.Outputs(0)[0]!["text"].Joined());
        Assert.Equal("42", document.Outputs(1)[0].Plain());
    }

    [Fact]
    public async Task ArgumentsAreSeen()
    {
        var (document, _) = await Run.Document(NotebookDocument.Of("string.Join(',', Args)"), new() { Arguments = ["a", "b"] });
        Assert.Equal("a,b", document.Outputs(0)[0].Plain());
    }
}
