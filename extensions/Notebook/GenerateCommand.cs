using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Toolkit.Checkpoints;
using Toolkit.Decoding;

namespace Toolkit.Notebook;

/// <summary>The command <c>toolkit generate</c>: a model's continuation of a text, or its answer, as it comes.</summary>
internal static class GenerateCommand
{
    private const int Interrupted = 130;
    private const string FromInput = "-";

    public static Command Create()
    {
        var model = new Argument<string>("model") { Description = "Folder in Hugging Face's layout, a GGUF file, or a name such as org/name, which is looked for in the cache and else downloaded." };
        var prompt = new Argument<string>("prompt") { Description = "The text to continue; - reads it from the input.", DefaultValueFactory = _ => FromInput };
        var tokens = Number<int?>("--tokens", "The most tokens to generate.", value => value > 0, "a number of tokens above 0");
        var temperature = Number<double?>("--temperature", "0 takes the most probable token, 1 draws from the model's own distribution.", value => value >= 0 && double.IsFinite(value.Value), "a number from 0 on");
        var topK = Number<int?>("--top-k", "Draw from the k most probable tokens; 0: from all.", value => value >= 0, "a whole number from 0 on");
        var topP = Number<double?>("--top-p", "Draw from the most probable tokens that reach this probability together.", value => value is > 0 and <= 1, "a number above 0 and at most 1");
        var minP = Number<double?>("--min-p", "Drop tokens that are less probable than this share of the most probable one.", value => value is >= 0 and <= 1, "a number from 0 to 1");
        var penalty = Number<double?>("--repetition-penalty", "Above 1: tokens that occurred become less probable.", value => value > 0 && double.IsFinite(value.Value), "a number above 0");
        var seed = new Option<long>("--seed") { Description = "The same seed gives the same text." };
        var stop = new Option<string[]>("--stop") { Description = "A text that ends the generation; may be repeated.", DefaultValueFactory = _ => [] };
        var chat = new Option<bool>("--chat") { Description = "The prompt is a message, written by the model's chat template." };
        var system = new Option<string?>("--system") { Description = "What the model is told about its part; with --chat." };
        var plain = new Option<bool>("--no-defaults") { Description = "Leave out what generation_config.json says." };
        var revision = ModelArgument.Revision();
        var command = new Command("generate", "Continues a text, or answers a message, with a model. How it draws where no option says: as generation_config.json has it, else from the model's own distribution.")
        {
            model, prompt, tokens, temperature, topK, topP, minP, penalty, seed, stop, chat, system, plain, revision,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(system) is not null && !result.GetValue(chat))
            {
                result.AddError("--system: only with --chat.");
            }
        });
        command.SetAction(parsed => Interruptible(cancellation => Run(
            new GenerateRequest(parsed.GetValue(model)!, parsed.GetValue(prompt)!)
            {
                Tokens = parsed.GetValue(tokens),
                Temperature = parsed.GetValue(temperature),
                TopK = parsed.GetValue(topK),
                TopP = parsed.GetValue(topP),
                MinP = parsed.GetValue(minP),
                RepetitionPenalty = parsed.GetValue(penalty),
                Seed = parsed.GetValue(seed),
                Stop = parsed.GetValue(stop) ?? [],
                Chat = parsed.GetValue(chat),
                System = parsed.GetValue(system),
                WithoutDefaults = parsed.GetValue(plain),
                Revision = parsed.GetValue(revision)!,
            },
            Console.In,
            Console.Out,
            Console.Error,
            cancellation)));
        return command;
    }

    internal static int Run(GenerateRequest request, TextReader input, TextWriter told, TextWriter problems, CancellationToken cancellation, ModelCache? cache = null)
    {
        try
        {
            var prompt = request.Prompt == FromInput ? input.ReadToEnd() : request.Prompt;
            var folder = ModelArgument.Resolve(request.Model, request.Revision, cache, problems, cancellation);
            using var model = LanguageModel.Load(folder);
            return Generate(model, request, prompt, told, problems, cancellation);
        }
        catch (OperationCanceledException)
        {
            return Interrupted;
        }
        catch (Exception problem) when (ModelArgument.IsOfInput(problem))
        {
            problems.WriteLine(problem.Message);
            return 2;
        }
    }

    private static int Generate(LanguageModel model, GenerateRequest request, string prompt, TextWriter told, TextWriter problems, CancellationToken cancellation)
    {
        var options = request.Over(request.WithoutDefaults ? new() : model.GenerationDefaults);
        var begin = Stopwatch.GetTimestamp();
        var tokens = request.Chat ? model.Chat(request.Messages(prompt), options, cancellation) : model.Generate(prompt, options, cancellation);
        var (count, first, finish) = (0, TimeSpan.Zero, (FinishReason?)null);
        foreach (var token in tokens)
        {
            (count, finish) = (count + 1, token.Finish);
            first = count == 1 ? Stopwatch.GetElapsedTime(begin) : first;
            told.Write(token.Text);
            told.Flush();
        }

        told.WriteLine();
        problems.WriteLine(Summary(count, first, Stopwatch.GetElapsedTime(begin), finish));
        return cancellation.IsCancellationRequested && finish is null ? Interrupted : 0;
    }

    /// <summary>The first token takes the reading of the prompt, the others are decoding.</summary>
    private static string Summary(int count, TimeSpan first, TimeSpan elapsed, FinishReason? finish)
    {
        var why = finish switch
        {
            FinishReason.EndOfText => "the end of the text",
            FinishReason.StopString => "a stop string",
            FinishReason.ContextFull => "the model's positions are full",
            FinishReason.MaxTokens => "as many as asked for",
            _ => "interrupted",
        };
        var rate = count > 1 ? string.Create(CultureInfo.InvariantCulture, $", {(count - 1) / (elapsed - first).TotalSeconds:F1} tokens/s") : "";
        return string.Create(CultureInfo.InvariantCulture, $"{count} tokens in {elapsed.TotalSeconds:F2} s ({why}); the first after {first.TotalSeconds:F2} s{rate}");
    }

    /// <summary>The first Ctrl-C, or a polite request to end, ends the text; the second Ctrl-C is left to the system, which kills the process.</summary>
    private static int Interruptible(Func<CancellationToken, int> run)
    {
        using var interrupt = new CancellationTokenSource();
        ConsoleCancelEventHandler onInterrupt = (_, pressed) =>
        {
            pressed.Cancel = !interrupt.IsCancellationRequested;
            interrupt.Cancel();
        };
        Console.CancelKeyPress += onInterrupt;
        using var ended = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>
        {
            signal.Cancel = !interrupt.IsCancellationRequested;
            interrupt.Cancel();
        });
        try
        {
            return run(interrupt.Token);
        }
        finally
        {
            Console.CancelKeyPress -= onInterrupt;
        }
    }

    private static Option<T> Number<T>(string name, string description, Func<T, bool> holds, string expected)
    {
        var option = new Option<T>(name) { Description = description };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<T>() is { } value && !holds(value))
            {
                result.AddError($"{name}: expected {expected}.");
            }
        });
        return option;
    }
}
