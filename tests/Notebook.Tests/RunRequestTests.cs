using Toolkit.Notebook;

namespace Notebook.Tests;

public sealed class RunRequestTests
{
    [Fact]
    public async Task A_run_writes_notebook_and_page_beside_it_and_leaves_the_source_alone()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("data.txt"), "beside the notebook");
        var source = Save(folder, "File.ReadAllText(\"data.txt\")");
        var before = File.ReadAllText(source);
        var current = Directory.GetCurrentDirectory();
        var (code, output, _) = await Execute(new RunRequest(source));

        Assert.Equal(0, code);
        Assert.Equal(before, File.ReadAllText(source));
        Assert.Equal(current, Directory.GetCurrentDirectory());
        Assert.Contains("beside the notebook", File.ReadAllText(folder.File("out/n.ipynb")));
        Assert.Contains("beside the notebook", File.ReadAllText(folder.File("out/n.html")));
        Assert.Contains(folder.File("out/n.ipynb"), output);
        Assert.Contains(folder.File("out/n.html"), output);
        Assert.Contains("[1/1] File.ReadAllText", output);
    }

    [Fact]
    public async Task A_failing_cell_gives_exit_code_1_and_both_files()
    {
        using var folder = new TemporaryFolder();
        var source = Save(folder, "Console.WriteLine(\"before\");\nthrow new InvalidOperationException(\"boom\");");
        var (code, output, _) = await Execute(new RunRequest(source, folder.File("elsewhere/x.ipynb"), folder.File("page.html")));

        Assert.Equal(1, code);
        Assert.Contains("Cell 1, line 2: System.InvalidOperationException: boom", output);
        Assert.Contains("boom", File.ReadAllText(folder.File("elsewhere/x.ipynb")));
        Assert.Contains("class=\"error\"", File.ReadAllText(folder.File("page.html")));
    }

    [Fact]
    public async Task A_folder_that_does_not_exist_yet_is_an_output_folder()
    {
        using var folder = new TemporaryFolder();
        var (code, _, _) = await Execute(new RunRequest(Save(folder, "1"), folder.File("new/folder")));

        Assert.Equal(0, code);
        Assert.True(File.Exists(folder.File("new/folder/n.ipynb")));
    }

    [Theory]
    [InlineData("not json", "line 1, position")]
    [InlineData(null, "cannot be read")]
    public async Task A_notebook_that_cannot_be_read_gives_one_line_and_exit_code_2(string? text, string message)
    {
        using var folder = new TemporaryFolder();
        if (text is not null)
        {
            File.WriteAllText(folder.File("n.ipynb"), text);
        }

        var (code, _, error) = await Execute(new RunRequest(folder.File("n.ipynb")));

        Assert.Equal(2, code);
        Assert.Contains(folder.File("n.ipynb"), error);
        Assert.Contains(message, error);
        Assert.Single(error.TrimEnd().Split('\n'));
        Assert.False(Directory.Exists(folder.File("out")));
    }

    [Fact]
    public async Task The_notebook_is_on_disk_after_every_cell()
    {
        using var folder = new TemporaryFolder();
        var source = Save(folder, "Console.Write(\"first \" + \"cell\");", "File.ReadAllText(\"out/n.ipynb\").Contains(\"first \" + \"cell\")");
        await Execute(new RunRequest(source));

        Assert.Equal("True", NotebookDocument.Load(folder.File("out/n.ipynb")).Outputs(1)[0].Plain());
    }

    [Fact]
    public async Task The_source_is_never_the_output()
    {
        using var folder = new TemporaryFolder();
        var source = Save(folder, "1");
        var (code, _, error) = await Execute(new RunRequest(source, source));

        Assert.Equal(2, code);
        Assert.Contains("never overwritten", error);
    }

    [Fact]
    public async Task Redirected_live_output_shows_its_first_and_last_state_only()
    {
        using var folder = new TemporaryFolder();
        var (_, output, _) = await Execute(new RunRequest(Save(folder, "var h = \"state 0\".Show();\nfor (var i = 1; i <= 500; i++) h.Update($\"state {i}\");")));

        Assert.Equal(["state 0", "state 500"], output.Split('\n').Where(line => line.StartsWith("state ")));
        Assert.DoesNotContain('\u001b', output);
    }

    [Theory]
    [InlineData("run", "x.ipynb", "--timeout", "-1")]
    [InlineData("run")]
    [InlineData("fly")]
    public void A_wrong_command_line_is_an_error(params string[] arguments) => Assert.NotEmpty(Program.Root().Parse(arguments).Errors);

    private static string Save(TemporaryFolder folder, params string[] cells)
    {
        NotebookDocument.Of(cells).Save(folder.File("n.ipynb"));
        return folder.File("n.ipynb");
    }

    private static async Task<(int Code, string Output, string Error)> Execute(RunRequest request)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        var code = await RunRequest.Execute(request, output, error, redirected: true);
        return (code, output.ToString(), error.ToString());
    }
}
