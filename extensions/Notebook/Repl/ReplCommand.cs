using System.CommandLine;

namespace Toolkit.Notebook.Repl;

/// <summary>The command <c>toolkit repl</c>.</summary>
internal static class ReplCommand
{
    public static Command Create()
    {
        var command = new Command("repl", "A C# prompt: several lines, completion with Tab, history with the arrows; Ctrl-C interrupts, Ctrl-D ends.");
        command.SetAction(_ => Run());
        return command;
    }

    private static int Run()
    {
        var (output, input) = (Console.Out, Console.In);
        using var host = new ReplHost(output, input);
        ConsoleCancelEventHandler onInterrupt = (_, pressed) =>
        {
            pressed.Cancel = true;
            host.Interrupt();
        };
        Console.CancelKeyPress += onInterrupt;
        try
        {
            if (Console.IsInputRedirected)
            {
                return host.Run(() => Piped(input), isPipe: true).GetAwaiter().GetResult();
            }

            output.WriteLine($"Toolkit, C# on .NET {Environment.Version}. Tab completes, Ctrl-C interrupts, Ctrl-D ends; #!lsmagic lists commands.");
            var history = new InputHistory(InputHistory.UserFile);
            var editor = new LineEditor(output, () => Console.ReadKey(intercept: true), () => Console.WindowWidth, CodeAssistant.IsComplete, host.Complete);
            return host.Run(() => Typed(editor, history), isPipe: false).GetAwaiter().GetResult();
        }
        finally
        {
            Console.CancelKeyPress -= onInterrupt;
        }
    }

    private static string? Typed(LineEditor editor, InputHistory history)
    {
        Console.TreatControlCAsInput = true;
        try
        {
            var text = editor.Read(history);
            if (!string.IsNullOrWhiteSpace(text))
            {
                history.Add(text);
            }

            return text;
        }
        finally
        {
            Console.TreatControlCAsInput = false;
        }
    }

    /// <summary>Lines of a pipe, as many as make a whole input.</summary>
    internal static string? Piped(TextReader input)
    {
        var text = input.ReadLine();
        while (text is not null && !CodeAssistant.IsComplete(text) && input.ReadLine() is { } more)
        {
            text += "\n" + more;
        }

        return text;
    }
}
