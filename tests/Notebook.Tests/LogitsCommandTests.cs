using Toolkit.Checkpoints;
using Toolkit.Notebook;
using static TorchSharp.torch;

namespace Notebook.Tests;

public sealed class LogitsCommandTests
{
    private static string References { get; } = Find();

    [Theory]
    [InlineData("llama-gqa")]
    [InlineData("gpt2")]
    [InlineData("mamba")]
    public void It_writes_the_logits_and_greedy_tokens_of_the_reference(string name)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var model = Path.Combine(References, name);
        var (code, told, problems) = Execute(model, Path.Combine(model, "expected.safetensors"), folder.File("out.safetensors"), "16");

        Assert.Equal((0, ""), (code, problems));
        Assert.Contains("logits (2, 48, 384), greedy (2, 64)", told);
        using var expected = SafeTensorsFile.Open(Path.Combine(model, "expected.safetensors"));
        using var actual = SafeTensorsFile.Open(folder.File("out.safetensors"));
        Assert.InRange(actual.Load("logits").sub(expected.Load("logits")).abs().max().item<float>(), 0, 1e-4f);
        Assert.True(actual.Load("greedy").eq(expected.Load("greedy")).all().item<bool>());
    }

    [Fact]
    public void A_padded_batch_continues_as_its_sequences_do_alone()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var model = Path.Combine(References, "llama-gqa");
        var sequence = arange(5, 17, int64).unsqueeze(0);
        SafeTensorsFile.Save(folder.File("alone.safetensors"), new Dictionary<string, Tensor> { ["input_ids"] = sequence.narrow(1, 4, 8) });
        SafeTensorsFile.Save(folder.File("batch.safetensors"), new Dictionary<string, Tensor>
        {
            ["input_ids"] = cat([sequence, cat([zeros(1, 4, int64), sequence.narrow(1, 4, 8)], 1)]).to(int32),
            ["attention_mask"] = cat([ones(1, 12, int64), cat([zeros(1, 4, int64), ones(1, 8, int64)], 1)]),
        });
        Assert.Equal(0, Execute(model, folder.File("alone.safetensors"), folder.File("a.safetensors"), "10").Code);
        Assert.Equal(0, Execute(model, folder.File("batch.safetensors"), folder.File("b.safetensors"), "10").Code);
        using var alone = SafeTensorsFile.Open(folder.File("a.safetensors"));
        using var batch = SafeTensorsFile.Open(folder.File("b.safetensors"));
        Assert.True(alone.Load("greedy").eq(batch.Load("greedy").narrow(0, 1, 1).narrow(1, 4, 18)).all().item<bool>());
    }

    [Theory]
    [InlineData("no-model", "config.json")]
    [InlineData("no-input", "missing.safetensors")]
    [InlineData("no-ids", "input_ids")]
    [InlineData("real-ids", "expected whole numbers")]
    [InlineData("flat-ids", "has shape (3), expected (sequences, positions)")]
    [InlineData("large-ids", "has ids from 0 to 384, the model those from 0 to 383")]
    [InlineData("other-mask", "the mask has shape (1, 2)")]
    public void What_is_wrong_is_told_in_one_line(string problem, string part)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var input = folder.File("in.safetensors");
        var tensors = problem switch
        {
            "no-ids" => new Dictionary<string, Tensor> { ["ids"] = ones(1, 3, int64) },
            "real-ids" => new() { ["input_ids"] = ones(1, 3) },
            "flat-ids" => new() { ["input_ids"] = ones(3, int64) },
            "large-ids" => new() { ["input_ids"] = arange(385, int64).unsqueeze(0) },
            "other-mask" => new() { ["input_ids"] = ones(1, 3, int64), ["attention_mask"] = zeros(1, 2, int64) },
            _ => new() { ["input_ids"] = ones(1, 3, int64) },
        };
        SafeTensorsFile.Save(input, tensors);
        var (code, _, problems) = Execute(
            problem == "no-model" ? folder.Path : Path.Combine(References, "llama-gqa"), problem == "no-input" ? folder.File("missing.safetensors") : input,
            folder.File("out.safetensors"), "0");
        Assert.Equal(2, code);
        Assert.Contains(part, problems);
        Assert.Single(problems.Trim().Split('\n'));
        Assert.False(File.Exists(folder.File("out.safetensors")));
    }

    [Fact]
    public void It_writes_the_hidden_states_of_an_encoder()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var model = Path.Combine(References, "bert-encoder");
        var (code, told, problems) = Execute(model, Path.Combine(model, "expected.safetensors"), folder.File("out.safetensors"), "0");
        Assert.Equal((0, ""), (code, problems));
        Assert.Contains("last_hidden_state (2, 48, 64)", told);
        using var expected = SafeTensorsFile.Open(Path.Combine(model, "expected.safetensors"));
        using var actual = SafeTensorsFile.Open(folder.File("out.safetensors"));
        Assert.InRange(actual.Load("last_hidden_state").sub(expected.Load("last_hidden_state")).abs().max().item<float>(), 0, 1e-4f);
        Assert.Contains("an encoder continues no text", Execute(model, Path.Combine(model, "expected.safetensors"), folder.File("out.safetensors"), "1").Problems);
    }

    [Fact]
    public void Padding_on_the_right_is_not_continued()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        SafeTensorsFile.Save(folder.File("in.safetensors"), new Dictionary<string, Tensor> { ["input_ids"] = ones(1, 3, int64), ["attention_mask"] = tensor(new long[,] { { 1, 1, 0 } }) });
        var model = Path.Combine(References, "llama-gqa");
        Assert.Equal(0, Execute(model, folder.File("in.safetensors"), folder.File("out.safetensors"), "0").Code);
        Assert.Contains("must be padded on the left", Execute(model, folder.File("in.safetensors"), folder.File("out.safetensors"), "1").Problems);
    }

    [Fact]
    public void It_is_a_command_of_the_tool() => Assert.Empty(Program.Root().Parse(["logits", "m", "--input", "i", "--output", "o", "--greedy", "3"]).Errors);

    private static (int Code, string Told, string Problems) Execute(string model, string input, string output, string greedy)
    {
        using var told = new StringWriter();
        using var problems = new StringWriter();
        var code = LogitsCommand.Run(model, input, output, int.Parse(greedy, System.Globalization.CultureInfo.InvariantCulture), told, problems);
        return (code, told.ToString(), problems.ToString());
    }

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var path = Path.Combine(folder.FullName, "tests", "fixtures", "references");
            if (Directory.Exists(path))
            {
                return path;
            }
        }

        throw new DirectoryNotFoundException("there is no tests/fixtures/references");
    }
}
