using Toolkit.Checkpoints;
using Toolkit.Decoding;
using Toolkit.Display;
using Toolkit.Tests.Checkpoints.Hub;
using Toolkit.Tests.Decoding;
using Toolkit.Text;

namespace Toolkit.Tests;

/// <summary>How a loaded model generates: by its name, its file of defaults, its tokenizer's beginning and its chat template.</summary>
public sealed class LanguageModelGenerationTests : IDisposable
{
    private const string Greedy = """{"do_sample": false, "max_new_tokens": 7}""";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("language-model");

    private string Folder => _folder.FullName;

    private static int Begin => TinyModel.Tokenizer.EndOfTextId;

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void TheFileBesideTheWeightsSaysHowToGenerate()
    {
        Save(Greedy);
        using var model = LanguageModel.Load(Folder);
        var greedy = Ids(model.Generate(TinyModel.Prompt, new GenerationOptions { MaxTokens = 7, Sampling = SamplingOptions.Greedy }));
        Assert.Equal(greedy, Ids(model.Generate(TinyModel.Prompt)));
        Assert.Equal(greedy, Ids(model.Generate(TinyModel.Prompt, seed: 5)));
        Assert.Equal(9, model.Generate(TinyModel.Prompt, tokens: 9).Count());
        Assert.NotEqual(Ids(model.Generate(TinyModel.Prompt, temperature: 1, seed: 1)), Ids(model.Generate(TinyModel.Prompt, temperature: 1, seed: 2)));
    }

    [Fact]
    public void ItsEndsAndLengthsHold()
    {
        Save(Greedy);
        int[] free;
        using (var model = LanguageModel.Load(Folder))
        {
            free = Ids(model.Generate(TinyModel.Prompt));
        }

        Save($$"""{"eos_token_id": [1, {{free[3]}}], "max_new_tokens": 7}""");
        using (var model = LanguageModel.Load(Folder))
        {
            var end = Array.IndexOf(free, free[3]);
            Assert.Equal(free[..(end + 1)], Ids(model.Generate(TinyModel.Prompt)));
            Assert.Equal(FinishReason.EndOfText, model.Generate(TinyModel.Prompt).Last().Finish);
        }

        var prompt = TinyModel.Tokenizer.Encode(TinyModel.Prompt).Length;
        Save($$"""{"max_length": {{prompt + 2}}}""");
        using var limited = LanguageModel.Load(Folder);
        Assert.Equal(free[..2], Ids(limited.Generate(TinyModel.Prompt)));
        Assert.Equal(free, Ids(limited.Generate(TinyModel.Prompt, tokens: 7)));
        Assert.Contains("max_length", Assert.Throws<ArgumentException>(() => limited.Generate(TinyModel.Prompt + TinyModel.Prompt)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatItAsksForAndIsNotThereIsToldWhenItIsNeeded()
    {
        Save("""{"num_beams": 5}""");
        using var model = LanguageModel.Load(Folder);
        Assert.Contains("num_beams 5 is not supported", Assert.Throws<NotSupportedException>(() => model.Generate(TinyModel.Prompt)).Message, StringComparison.Ordinal);
        Assert.Equal(3, model.Generate(TinyModel.Prompt, new GenerationOptions { MaxTokens = 3, StopAtEndOfText = false }).Count());
        var copy = Path.Combine(Folder, "copy");
        model.Save(copy);
        Assert.Equal("""{"num_beams": 5}""", File.ReadAllText(Path.Combine(copy, "generation_config.json")));
        model.GenerationDefaults = new() { MaxTokens = 4, StopAtEndOfText = false };
        Assert.Equal(4, model.Generate(TinyModel.Prompt).Count());
        model.Save(copy);
        using var again = LanguageModel.Load(copy);
        Assert.Equal(4, again.GenerationDefaults.MaxTokens);
        using var created = LanguageModel.Create(TinyModel.Config, TinyModel.Tokenizer);
        created.Save(Path.Combine(Folder, "created"));
        Assert.False(File.Exists(Path.Combine(Folder, "created", "generation_config.json")));
    }

    [Fact]
    public void ABeginningIsPutInFrontOnce()
    {
        Save(Greedy);
        var tokenizer = BeginningTokenizer.Write(Folder);
        using var model = LanguageModel.Load(Folder);
        var ids = TinyModel.Tokenizer.Encode(TinyModel.Prompt);
        var expected = Continue(model, [Begin, .. ids]);
        Assert.NotEqual(expected, Continue(model, ids));
        Assert.Equal(expected, Ids(model.Generate(TinyModel.Prompt)));
        Assert.Equal(expected, Ids(model.Generate(BeginningTokenizer.Begin + TinyModel.Prompt)));
        Assert.Equal(Continue(model, [Begin]), Ids(model.Generate("")));
        Assert.Equal([Begin, .. ids], tokenizer.Encode(TinyModel.Prompt, addSpecialTokens: true));
    }

    [Fact]
    public void ASpecialTokenInThePromptIsThatToken()
    {
        Save(Greedy);
        using var model = LanguageModel.Load(Folder);
        int[] ids = [.. TinyModel.Tokenizer.Encode("strong."), Begin, .. TinyModel.Tokenizer.Encode("My")];
        Assert.Equal(Continue(model, ids), Ids(model.Generate($"strong.{BeginningTokenizer.Begin}My")));
    }

    [Theory]
    [InlineData(false, "\"tokenizer_class\": \"LlamaTokenizerFast\", \"add_bos_token\": true", true)] // as in DeepSeek's folders
    [InlineData(false, "\"tokenizer_class\": \"LlamaTokenizerFast\"", false)]
    [InlineData(true, "\"tokenizer_class\": \"LlamaTokenizer\", \"add_bos_token\": false", false)]
    [InlineData(true, "\"tokenizer_class\": \"PreTrainedTokenizerFast\", \"add_bos_token\": false", true)]
    [InlineData(false, "\"tokenizer_class\": \"Qwen2Tokenizer\", \"add_bos_token\": true", false)]
    public void TheFlagOfSomeClassesOutranksTheTokenizersOwn(bool template, string configuration, bool expected) =>
        Assert.Equal(expected, BeginningTokenizer.Write(Folder, template, configuration).Encode("My", addSpecialTokens: true)[0] == Begin);

    [Fact]
    public void AChatIsWrittenByItsTemplateWithOneBeginning()
    {
        Save(Greedy);
        BeginningTokenizer.Write(Folder);
        using var model = LanguageModel.Load(Folder);
        int[] ids = [Begin, .. TinyModel.Tokenizer.Encode("[system] Be brief. [user] Hello [assistant]")];
        Assert.Equal(Continue(model, ids), Ids(model.Chat("Hello", "Be brief.")));
        Assert.Equal(Continue(model, ids), Ids(model.Chat([new ChatMessage("system", "Be brief."), new ChatMessage("user", "Hello")])));
        var text = model.Tokenizer.ApplyChatTemplate([new("system", "Be brief."), new("user", "Hello")]);
        Assert.Equal(Continue(model, ids), Ids(model.Generate(text)));
        using var plain = LanguageModel.Create(TinyModel.Config, TinyModel.Tokenizer);
        Assert.Contains("no chat template", Assert.Throws<InvalidOperationException>(() => plain.Chat("Hello")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TokensMayBeGivenThemselves()
    {
        using var model = LanguageModel.Create(TinyModel.Config, TinyModel.Tokenizer);
        Assert.Contains("no token", Assert.Throws<ArgumentException>(() => Generator.Generate(model.Model, model.Tokenizer, Array.Empty<int>(), new())).Message, StringComparison.Ordinal);
        Assert.Contains("token -1", Assert.Throws<ArgumentException>(() => Generator.Generate(model.Model, model.Tokenizer, [-1], new())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AModelIsOpenedByItsNameAndTheDownloadShown()
    {
        using var server = new HubServer();
        Save(Greedy);
        foreach (var file in Directory.GetFiles(Folder))
        {
            server.Files[Path.GetFileName(file)] = File.ReadAllBytes(file);
        }

        var options = new ModelCacheOptions { Folder = Path.Combine(Folder, "cache"), Endpoint = server.Address };
        var host = new Recorder();
        using (var bar = new DownloadBar(host, interval: TimeSpan.Zero))
        using (var model = LanguageModel.Load(HubServer.Name, cache: new ModelCache(options), progress: bar))
        using (var own = LanguageModel.Load(Folder))
        {
            Assert.Equal(Ids(own.Generate(TinyModel.Prompt)), Ids(model.Generate(TinyModel.Prompt)));
        }

        Assert.Contains("Downloading org/tiny", host.Shown[0], StringComparison.Ordinal);
        Assert.Matches(@"\d+\.\d kB/\d+\.\d kB · .*B/s · .* · model\.safetensors \(5 of 5\)", host.Shown[^1]);
        Assert.Single(host.Ids.Distinct());

        var count = host.Shown.Count;
        using (var bar = new DownloadBar(host))
        using (LanguageModel.Load(HubServer.Name, cache: new ModelCache(options with { Offline = true }), progress: bar))
        {
        }

        Assert.Equal(count, host.Shown.Count);
        Assert.Throws<DirectoryNotFoundException>(() => LanguageModel.Load("./no/such/folder"));
    }

    [Fact]
    public void AnEncoderIsToldWhereItOpens() => Assert.Contains(
        "TextEncoder.Load opens it",
        Assert.Throws<NotSupportedException>(() => LanguageModel.Load(Path.Combine(Fixtures.Folder, "references", "bert-encoder"))).Message,
        StringComparison.Ordinal);

    private void Save(string generation)
    {
        using var model = LanguageModel.Create(TinyModel.Config, TinyModel.Tokenizer, seed: 9);
        using (TorchSharp.torch.no_grad())
        {
            // Large enough that every token of a prompt changes what follows.
            foreach (var matrix in model.Model.parameters().Where(parameter => parameter.dim() == 2))
            {
                matrix.mul_(8);
            }
        }

        model.Save(Folder);
        File.WriteAllText(Path.Combine(Folder, "generation_config.json"), generation);
    }

    private static int[] Continue(LanguageModel model, IReadOnlyList<int> ids) => Ids(Generator.Generate(model.Model, model.Tokenizer, ids, model.GenerationDefaults));

    private static int[] Ids(IEnumerable<GeneratedToken> tokens) => [.. tokens.Select(token => token.Id)];

    private sealed class Recorder : IDisplayHost
    {
        public List<string> Shown { get; } = [];

        public List<string> Ids { get; } = [];

        public void Display(MimeBundle bundle, string displayId, bool update)
        {
            Shown.Add(bundle.Plain);
            Ids.Add(displayId);
        }

        public void Write(string text)
        {
        }
    }
}
