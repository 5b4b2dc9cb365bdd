using System.Diagnostics;
using System.Globalization;
using Toolkit;
using Toolkit.Checkpoints;
using Toolkit.Decoding;
using Toolkit.Models;
using Toolkit.Notebook;
using Toolkit.Text;

namespace Notebook.Tests;

public sealed class GenerateCommandTests : IDisposable
{
    private const string Prompt = "My fellow citizens,";
    private const string Name = "org/tiny";
    private static readonly Tokenizer Tokenizer = Tokenizer.Train(Enumerable.Repeat("My fellow citizens, the state of the union is strong.", 20), 300);
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>A snapshot as another tool leaves it.</summary>
    private string Snapshot => Path.Combine(_folder.Path, "models--org--tiny", "snapshots", new string('d', 40));

    private ModelCache Cache => new(new ModelCacheOptions { Folder = _folder.Path, Offline = true });

    [Fact]
    public void It_writes_the_text_and_tells_the_speed()
    {
        var expected = Make().Generate(Prompt, new GenerationOptions { MaxTokens = 12, Sampling = SamplingOptions.Greedy }).ToText();
        var (code, told, problems) = Execute(new(Snapshot, Prompt) { Tokens = 12, Temperature = 0 });
        Assert.Equal((0, expected + Environment.NewLine), (code, told));
        Assert.Matches(@"^12 tokens in \d+\.\d\d s \(as many as asked for\); the first after \d+\.\d\d s, \d+\.\d tokens/s\s*$", problems);
    }

    [Fact]
    public void A_name_a_file_and_the_input_do_as_well()
    {
        using var model = Make();
        var expected = model.Generate(Prompt, new GenerationOptions { MaxTokens = 12, Sampling = new() { TopK = 20, TopP = 0.9, MinP = 0.01, RepetitionPenalty = 1.1, Seed = 3 } }).ToText() + Environment.NewLine;
        var request = new GenerateRequest(Name, "-") { Tokens = 12, TopK = 20, TopP = 0.9, MinP = 0.01, RepetitionPenalty = 1.1, Seed = 3 };
        Assert.Equal((0, expected), Execute(request, Prompt) is var (code, told, _) ? (code, told) : default);
        model.SaveGguf(_folder.File("tiny.gguf"), GgufType.F32);
        Assert.Equal(expected, Execute(request with { Model = _folder.File("tiny.gguf"), Prompt = Prompt }).Told);
        Assert.NotEqual(expected, Execute(request with { Prompt = Prompt, Seed = 4 }).Told);
        File.WriteAllText(Path.Combine(Snapshot, "generation_config.json"), """{"do_sample": false, "max_new_tokens": 5}""");
        Assert.Equal(expected, Execute(request with { Prompt = Prompt }).Told);
        Assert.StartsWith("5 tokens", Execute(new(Name, Prompt)).Problems);
    }

    [Fact]
    public void A_chat_is_written_by_the_template()
    {
        using var model = Make();
        Assert.Contains("no chat template", Execute(new(Name, "Hello") { Chat = true }).Problems);
        File.WriteAllText(Path.Combine(Snapshot, "chat_template.jinja"), "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>");
        var expected = model.Generate("<system>Be brief.<user>Hello<assistant>", new GenerationOptions { MaxTokens = 8, Sampling = SamplingOptions.Greedy }).ToText();
        Assert.Equal(expected + Environment.NewLine, Execute(new(Name, "Hello") { Chat = true, System = "Be brief.", Tokens = 8, Temperature = 0 }).Told);
    }

    [Fact]
    public void An_interrupt_ends_the_text_cleanly()
    {
        Make().Dispose();
        using var interrupt = new CancellationTokenSource();
        using var told = new Stopper(3, interrupt);
        using var problems = new StringWriter();
        Assert.Equal(130, GenerateCommand.Run(new(Name, Prompt) { Tokens = 100, Temperature = 0 }, TextReader.Null, told, problems, interrupt.Token, Cache));
        Assert.StartsWith("3 tokens", problems.ToString());
        Assert.Contains("(interrupted)", problems.ToString());
        Assert.EndsWith(Environment.NewLine, told.ToString());
    }

    [Fact]
    public async Task Control_C_ends_the_process_cleanly()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "a signal is sent with kill");
        Assert.SkipWhen(IsInterruptIgnored(), "the tests run behind nohup or a script's &: what they start ignores control C, as it should");
        Make(positions: 300_000).Dispose();
        var start = new ProcessStartInfo(Environment.ProcessPath!.EndsWith("dotnet", StringComparison.Ordinal) ? Environment.ProcessPath : "dotnet")
        {
            // Greedily: a sampled end of the text would come before the signal on a busy machine.
            ArgumentList = { typeof(GenerateCommand).Assembly.Location, "generate", Snapshot, Prompt, "--tokens", "200000", "--temperature", "0" },
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        try
        {
            var first = new char[1];
            Assert.Equal(1, await process.StandardOutput.ReadAsync(first).AsTask().WaitAsync(TimeSpan.FromMinutes(1)));
            Process.Start("kill", ["-INT", $"{process.Id}"]).WaitForExit();
            _ = process.StandardOutput.ReadToEndAsync();
            var problems = await process.StandardError.ReadToEndAsync().WaitAsync(TimeSpan.FromMinutes(1));
            await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(1));
            Assert.Equal(130, process.ExitCode);
            Assert.Matches(@"^\d+ tokens in .*\(interrupted\).* tokens/s\s*$", problems);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill();
            }
        }
    }

    [Fact]
    public void What_is_wrong_is_told_in_one_line()
    {
        Make().Dispose();
        File.WriteAllText(Path.Combine(Snapshot, "generation_config.json"), """{"num_beams": 4}""");
        foreach (var (request, expected) in new (GenerateRequest, string)[]
        {
            (new("org/other", Prompt), "HF_HUB_OFFLINE"),
            (new("./nowhere", Prompt), "there is no folder './nowhere'"),
            (new("nowhere.gguf", Prompt), "nowhere.gguf"),
            (new(Name, Prompt), "num_beams 4 is not supported"),
            (new(Name, Prompt) { Revision = "other" }, "at revision 'other'"),
        })
        {
            var (code, told, problems) = Execute(request);
            Assert.Equal((2, ""), (code, told));
            Assert.Contains(expected, problems);
            Assert.Single(problems.Trim().Split('\n'));
        }

        Assert.Equal(0, Execute(new(Name, Prompt) { WithoutDefaults = true, Tokens = 2 }).Code);
    }

    [Fact]
    public void It_is_a_command_of_the_tool()
    {
        Assert.Empty(Program.Root().Parse(["generate", "m", "p", "--tokens", "3", "--temperature", "0.5", "--top-k", "4", "--top-p", "0.9", "--seed", "1", "--chat", "--system", "s"]).Errors);
        Assert.Empty(Program.Root().Parse(["generate", "m"]).Errors);
        foreach (var wrong in new[] { "--tokens 0", "--temperature -1", "--top-k -1", "--top-p 0", "--top-p 1.1", "--min-p 2", "--repetition-penalty 0", "--system s" })
        {
            Assert.NotEmpty(Program.Root().Parse(["generate", "m", "p", .. wrong.Split(' ')]).Errors);
        }
    }

    [Fact]
    public void Other_commands_resolve_names_too()
    {
        Make().Dispose();
        using var told = new StringWriter();
        using var problems = new StringWriter();
        Assert.Equal(0, InspectCommand.Run(Name, null, told, problems, cache: Cache));
        Assert.Contains("\"model_type\": \"llama\"", told.ToString());
        using var scope = TorchSharp.torch.NewDisposeScope();
        SafeTensorsFile.Save(_folder.File("in.safetensors"), new Dictionary<string, TorchSharp.torch.Tensor> { ["input_ids"] = TorchSharp.torch.ones(1, 3, TorchSharp.torch.int64) });
        Assert.Equal(0, LogitsCommand.Run(Name, _folder.File("in.safetensors"), _folder.File("out.safetensors"), 0, told, problems, cache: Cache));
        Assert.Equal(2, LogitsCommand.Run(Name, _folder.File("in.safetensors"), _folder.File("out.safetensors"), 0, told, problems, "other", Cache));
        Assert.Contains("at revision 'other'", problems.ToString());
        Assert.Empty(Program.Root().Parse(["inspect", Name, "--revision", "v1"]).Errors);
    }

    private LanguageModel Make(int positions = 256)
    {
        var model = LanguageModel.Create(DecoderConfig.Llama(2, 32, 4, 2, Tokenizer.VocabularySize, maxPositions: positions), Tokenizer, seed: 3);
        model.Save(Snapshot);
        Directory.CreateDirectory(Path.Combine(_folder.Path, "models--org--tiny", "refs"));
        File.WriteAllText(Path.Combine(_folder.Path, "models--org--tiny", "refs", "main"), new string('d', 40));
        return model;
    }

    private (int Code, string Told, string Problems) Execute(GenerateRequest request, string input = "")
    {
        using var told = new StringWriter();
        using var problems = new StringWriter();
        var code = GenerateCommand.Run(request, new StringReader(input), told, problems, CancellationToken.None, Cache);
        return (code, told.ToString(), problems.ToString());
    }

    private static bool IsInterruptIgnored()
    {
        const ulong Interrupt = 1 << (2 - 1);
        var mask = File.ReadLines("/proc/self/status").First(line => line.StartsWith("SigIgn:", StringComparison.Ordinal))["SigIgn:".Length..];
        return (ulong.Parse(mask.Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture) & Interrupt) != 0;
    }

    /// <summary>Presses Ctrl-C after so many tokens.</summary>
    private sealed class Stopper(int after, CancellationTokenSource interrupt) : StringWriter
    {
        private int _flushed;

        public override void Flush()
        {
            if (++_flushed == after)
            {
                interrupt.Cancel();
            }
        }
    }
}
