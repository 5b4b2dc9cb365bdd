using Toolkit.Notebook;

namespace Notebook.Tests;

/// <summary>Scripts as dotnet-script runs them.</summary>
public sealed class ScriptRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task ArgumentsShebangLoadAndExitCode()
    {
        File.WriteAllText(Path.Combine(_folder.Path, "helper.csx"), "string Loud(string text) => text.ToUpperInvariant();");
        var (exitCode, output, error) = await Script("#!/usr/bin/env dotnet-script\n#load \"helper.csx\"\nforeach (var word in Args) WriteLine(Loud(word));\nConsole.Error.Write(\"to error\");\nreturn Args.Count;", "a", "b", "c");
        Assert.Equal(3, exitCode);
        Assert.Equal("A\nB\nC\n", output);
        Assert.Equal("to error", error);
    }

    [Fact]
    public async Task TheLastExpressionIsNotShown()
    {
        var (exitCode, output, _) = await Script("\"silent\"");
        Assert.Equal((0, ""), (exitCode, output));
    }

    [Fact]
    public async Task ErrorsNameFileAndLine()
    {
        var (exitCode, _, error) = await Script("var a = 1;\nthrow new InvalidOperationException(\"no\");");
        Assert.Equal(1, exitCode);
        Assert.Contains("script.csx, line 2", error);
        (exitCode, _, error) = await Script("int b = \"text\";");
        Assert.Equal(1, exitCode);
        Assert.Contains("script.csx, line 1, column 9: CS0029", error);
        Assert.Equal(2, await ScriptRun.Execute(Path.Combine(_folder.Path, "absent.csx"), [], TextWriter.Null, TextWriter.Null, default));
    }

    [Fact]
    public async Task AwaitClassesAndInput()
    {
        var (exitCode, output, _) = await Script("using System.Text.Json;\nrecord Point(int X, int Y);\nawait Task.Delay(1);\nWriteLine(JsonSerializer.Serialize(new Point(1, 2)));\nreturn;");
        Assert.Equal((0, "{\"X\":1,\"Y\":2}\n"), (exitCode, output));
    }

    private async Task<(int ExitCode, string Output, string Error)> Script(string code, params string[] arguments)
    {
        var path = Path.Combine(_folder.Path, "script.csx");
        File.WriteAllText(path, code);
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        var exitCode = await ScriptRun.Execute(path, arguments, output, error, TestContext.Current.CancellationToken);
        return (exitCode, output.ToString(), error.ToString());
    }
}
