using Toolkit.Decoding;
using Toolkit.Models;
using TorchSharp;

namespace Toolkit.Tests.Decoding;

public sealed class GeneratorTests
{
    private static readonly GenerationOptions Greedy = new() { MaxTokens = 40, Sampling = SamplingOptions.Greedy, StopAtEndOfText = false };

    private static readonly GenerationOptions Sampled = Greedy with { Sampling = new SamplingOptions { Temperature = 0.9, TopP = 0.95, RepetitionPenalty = 1.1, Seed = 11 } };

    [Fact]
    public void Greedy_is_the_uncached_argmax_loop()
    {
        using var model = TinyModel.Create();
        var ids = TinyModel.Tokenizer.Encode(TinyModel.Prompt).ToList();
        var expected = UncachedArgMax(model, ids, 40);
        var tokens = Generate(model, Greedy);
        Assert.Equal(expected.Ids, tokens.Select(t => t.Id));
        Assert.All(tokens.Zip(expected.LogProbabilities), pair => Assert.Equal(pair.Second, pair.First.LogProbability, 3));
        Assert.Equal(FinishReason.MaxTokens, tokens[^1].Finish);
        Assert.All(tokens[..^1], token => Assert.Null(token.Finish));
    }

    [Fact]
    public void An_empty_prompt_begins_with_the_end_of_text_token()
    {
        using var model = TinyModel.Create();
        Assert.Equal(UncachedArgMax(model, [TinyModel.Tokenizer.EndOfTextId], 40).Ids, Generate(model, Greedy, "").Select(t => t.Id));
    }

    [Fact]
    public void Same_seed_same_text_other_seed_other_text()
    {
        using var model = TinyModel.Create();
        Assert.Equal(Generate(model, Sampled), Generate(model, Sampled));
        Assert.NotEqual(
            Generate(model, Sampled).Select(t => t.Id), Generate(model, Sampled with { Sampling = Sampled.Sampling with { Seed = 12 } }).Select(t => t.Id));
    }

    [Fact]
    public void The_texts_joined_are_the_decoded_ids()
    {
        using var model = TinyModel.Create();
        for (var seed = 0; seed < 10; seed++)
        {
            var tokens = Generate(model, Sampled with { Sampling = new SamplingOptions { Seed = seed } });
            Assert.Equal(TinyModel.Tokenizer.Decode(tokens.Select(t => t.Id).ToArray(), skipSpecialTokens: true), Text(tokens));
        }
    }

    [Fact]
    public void A_stop_string_ends_the_text_and_no_part_of_it_is_shown()
    {
        using var model = TinyModel.Create();
        var free = Text(Generate(model, Sampled));
        for (var at = 1; at < free.Length - 4; at += 3)
        {
            var stop = free.Substring(at, 4);
            var tokens = Generate(model, Sampled with { StopStrings = ["never in this text", stop] });
            Assert.Equal(free[..free.IndexOf(stop, StringComparison.Ordinal)], Text(tokens));
            Assert.Equal(FinishReason.StopString, tokens[^1].Finish);
        }
    }

    [Fact]
    public void The_end_token_ends_the_text()
    {
        using var model = TinyModel.Create();
        var free = Generate(model, Sampled);
        var end = free[9].Id;
        var first = Array.FindIndex(free, token => token.Id == end);
        using var ending = TinyModel.Create(TinyModel.Config with { EndTokenId = end });
        var tokens = Generate(ending, Sampled with { StopAtEndOfText = true });
        Assert.Equal(free.Take(first + 1).Select(t => t.Id), tokens.Select(t => t.Id));
        Assert.Equal(FinishReason.EndOfText, tokens[^1].Finish);
        Assert.Equal(TinyModel.Tokenizer.Decode(free.Take(first).Select(t => t.Id).ToArray(), skipSpecialTokens: true), Text(tokens));
    }

    [Fact]
    public void A_full_context_ends_the_text()
    {
        using var model = TinyModel.Create(TinyModel.Config with { MaxPositions = 24 });
        var prompt = TinyModel.Tokenizer.Encode(TinyModel.Prompt).Length;
        var tokens = Generate(model, Greedy);
        Assert.Equal(24 - prompt, tokens.Length);
        Assert.Equal(FinishReason.ContextFull, tokens[^1].Finish);
        var tooLong = Assert.Throws<ArgumentException>(() => Generator.Generate(model, TinyModel.Tokenizer, string.Join("\u0001", new string('\u0002', 24)), Greedy));
        Assert.Contains("24 tokens and the model 24 positions", tooLong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_prompt_of_another_tokenizer_is_refused()
    {
        using var model = TinyModel.Create(TinyModel.Config with { VocabularySize = 40 });
        var problem = Assert.Throws<ArgumentException>(() => Generator.Generate(model, TinyModel.Tokenizer, TinyModel.Prompt, Greedy));
        Assert.Contains("a vocabulary of 40", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Rows_that_pad_the_vocabulary_are_never_drawn()
    {
        using var model = TinyModel.Create(TinyModel.Config with { VocabularySize = 4 * TinyModel.Tokenizer.VocabularySize });
        Assert.All(Generate(model, Sampled), token => Assert.InRange(token.Id, 0, TinyModel.Tokenizer.VocabularySize - 1));
    }

    [Fact]
    public void Cancelling_ends_the_sequence_before_the_next_token()
    {
        using var model = TinyModel.Create();
        using var cancellation = new CancellationTokenSource();
        var tokens = new List<GeneratedToken>();
        foreach (var token in Generator.Generate(model, TinyModel.Tokenizer, TinyModel.Prompt, Greedy, cancellation.Token))
        {
            tokens.Add(token);
            if (tokens.Count == 3)
            {
                cancellation.Cancel();
            }
        }

        Assert.Equal(3, tokens.Count);
        Assert.Null(tokens[^1].Finish);
    }

    [Fact]
    public void Between_tokens_gradients_are_on_and_no_scope_is_open()
    {
        using var model = TinyModel.Create();
        using var probe = torch.NewDisposeScope();
        foreach (var token in Generator.Generate(model, TinyModel.Tokenizer, TinyModel.Prompt, Greedy))
        {
            Assert.True(torch.is_grad_enabled());
            Assert.Equal(0, probe.DisposablesCount);
            Assert.NotNull(token.Text);
        }
    }

    [Fact]
    public void A_damaged_model_is_reported()
    {
        using var model = TinyModel.Create();
        using (torch.no_grad())
        {
            model.FinalNorm!.Weight.fill_(float.NaN);
        }

        Assert.Contains("NaN", Assert.Throws<InvalidOperationException>(() => Generate(model, Greedy)).Message, StringComparison.Ordinal);
    }

    private static GeneratedToken[] Generate(Decoder model, GenerationOptions options, string prompt = TinyModel.Prompt) =>
        [.. Generator.Generate(model, TinyModel.Tokenizer, prompt, options)];

    private static string Text(IEnumerable<GeneratedToken> tokens) => string.Concat(tokens.Select(token => token.Text));

    private static (int[] Ids, double[] LogProbabilities) UncachedArgMax(Decoder model, List<int> ids, int tokens)
    {
        var start = ids.Count;
        var logProbabilities = new List<double>();
        for (var i = 0; i < tokens; i++)
        {
            using var scope = torch.NewDisposeScope();
            using var mode = torch.no_grad();
            var input = torch.tensor(ids.Select(id => (long)id).ToArray()).unsqueeze(0);
            var last = torch.nn.functional.log_softmax(model.forward(input)[0, ids.Count - 1], 0); // (V)
            ids.Add((int)last.argmax().item<long>());
            logProbabilities.Add(last[ids[^1]].item<float>());
        }

        return ([.. ids.Skip(start)], [.. logProbabilities]);
    }
}
