using Spectre.Console;
using Toolkit.Display;

namespace Toolkit.Tests.Display;

public sealed class TerminalHostTests
{
    private readonly StringWriter _text = new();

    [Fact]
    public void ALogGetsATenthAtATimeAndTheEnd()
    {
        var host = Host(interactive: false);
        for (var done = 0; done <= 100; done++)
        {
            host.Display(MimeBundle.Text($"at {done}") with { Completion = done / 100.0 }, "a", update: done > 0);
        }

        host.Display(MimeBundle.Text("end"), "a", update: true);

        Assert.Equal([.. Enumerable.Range(0, 11).Select(tenth => $"at {10 * tenth}"), "end"], Lines());
    }

    [Fact]
    public void ATerminalIsRewrittenInPlace()
    {
        var host = Host(interactive: true);
        host.Display(MimeBundle.Text("one\ntwo") with { Completion = 0 }, "a", update: false);
        host.Display(MimeBundle.Text("three") with { Completion = 0.01 }, "a", update: true);

        Assert.Contains("\u001b[2A", _text.ToString());
        Assert.Contains("\u001b[0J", _text.ToString());
    }

    [Fact]
    public void AnOutputThatSomethingFollowedIsNotOverwritten()
    {
        var host = Host(interactive: true);
        host.Display(MimeBundle.Text("one") with { Completion = 0 }, "a", update: false);
        host.Write("tokens");
        host.Display(MimeBundle.Text("two") with { Completion = 0.5 }, "a", update: true);

        Assert.DoesNotContain("\u001b[1A", _text.ToString());
        Assert.Equal(["one", "tokens", "two"], Lines());
    }

    [Fact]
    public void LinesOfALogAreAsLongAsTheyAre()
    {
        Host(interactive: false).Display(MimeBundle.Text(new string('x', 300)), "a", update: false);

        Assert.Equal([new string('x', 300)], Lines());
    }

    [Fact]
    public void TextStreamsAsItIs()
    {
        var host = Host(interactive: false);
        host.Write("a [red]b");
        host.Write("[/] c");

        Assert.Equal("a [red]b[/] c", _text.ToString());
    }

    private TerminalHost Host(bool interactive)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = interactive ? AnsiSupport.Yes : AnsiSupport.No,
            Interactive = interactive ? InteractionSupport.Yes : InteractionSupport.No,
            Out = new AnsiConsoleOutput(_text),
        });
        console.Profile.Width = 80;
        console.Profile.Height = 40;
        return new TerminalHost(console);
    }

    private string[] Lines() => [.. _text.ToString().ReplaceLineEndings("\n").Split('\n', StringSplitOptions.RemoveEmptyEntries)];
}
