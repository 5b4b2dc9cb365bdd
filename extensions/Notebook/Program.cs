using System.CommandLine;
using Toolkit.Display;

namespace Toolkit.Notebook;

/// <summary>The <c>toolkit</c> command.</summary>
internal static class Program
{
    public static int Main(string[] arguments) => Root().Parse(arguments).Invoke();

    internal static RootCommand Root() => new("Toolkit: experiments with transformer models from C#.")
    {
        RunCommand(), Documents.ConvertCommand.Create(), DoctorCommand(), LibTorchCommand.Create(), GenerateCommand.Create(), LogitsCommand.Create(), InspectCommand.Create(), Repl.ReplCommand.Create(), Jupyter.KernelCommand.Create(),
    };

    private static Command RunCommand()
    {
        var file = new Argument<string>("notebook") { Description = "The .ipynb, .dib or .csx file to run." };
        var words = new Argument<string[]>("arguments") { Description = "What the file sees as Args; put -- before words that begin with a dash.", Arity = ArgumentArity.ZeroOrMore };
        var output = new Option<string?>("--output", "-o") { Description = "Folder or .ipynb file for the executed notebook (default: out/ beside the notebook)." };
        var html = new Option<string?>("--html") { Description = "File for the HTML page (default: beside the executed notebook)." };
        var timeout = new Option<double?>("--timeout") { Description = "The most seconds that one cell may take." };
        var parameters = new Option<string[]>("--parameter", "-p") { Description = "name=value, set after the cell tagged 'parameters'; may be repeated.", DefaultValueFactory = _ => [] };
        timeout.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double?>() is <= 0 or > 1e6)
            {
                result.AddError("--timeout: expected a number of seconds above 0.");
            }
        });
        var command = new Command("run", "Runs a notebook from top to bottom and writes it with its outputs, and as a web page; runs a script as dotnet-script does.") { file, words, output, html, timeout, parameters };
        command.SetAction(parsed => Run(new RunRequest(
            parsed.GetValue(file)!, parsed.GetValue(output), parsed.GetValue(html), parsed.GetValue(timeout), parsed.GetValue(parameters) ?? [], parsed.GetValue(words) ?? [])));
        return command;
    }

    private static Command DoctorCommand()
    {
        var command = new Command("doctor", "Says what this machine offers and what keeps Toolkit from using it.");
        command.SetAction(_ => Doctor());
        return command;
    }

    private static int Doctor()
    {
        var report = Measurement.Doctor.Examine();
        Console.Out.WriteLine(Formatter.Format(report).Plain);
        return report.IsHealthy ? 0 : 1;
    }

    private static int Run(RunRequest request)
    {
        using var interrupt = new CancellationTokenSource();
        ConsoleCancelEventHandler onInterrupt = (_, pressed) =>
        {
            // The first Ctrl-C asks the cell to end; the second is left to the system, which kills the process.
            pressed.Cancel = !interrupt.IsCancellationRequested;
            interrupt.Cancel();
        };
        Console.CancelKeyPress += onInterrupt;
        try
        {
            return RunRequest.Execute(request, Console.Out, Console.Error, Console.IsOutputRedirected, interrupt.Token).GetAwaiter().GetResult();
        }
        finally
        {
            Console.CancelKeyPress -= onInterrupt;
        }
    }
}
