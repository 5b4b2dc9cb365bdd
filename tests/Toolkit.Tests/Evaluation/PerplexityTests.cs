using Toolkit.Data;
using Toolkit.Evaluation;
using Toolkit.Tests.Decoding;
using TorchSharp;

namespace Toolkit.Tests.Evaluation;

public sealed class PerplexityTests
{
    private static readonly TokenizedCorpus Corpus = TokenizedCorpus.From(
        TinyModel.Tokenizer, Enumerable.Range(0, 12).Select(i => $"Fellow citizens {i}, the state of the union is strong: 東京."));

    [Theory]
    [InlineData(16, 3, long.MaxValue)]
    [InlineData(7, 1, 100)]
    [InlineData(100, 8, 5)]
    public void Loss_is_the_mean_over_windows_computed_by_hand(int time, int batch, long most)
    {
        using var model = TinyModel.Create();
        var tokens = (int)Math.Min(most, Corpus.Ids.Length - 1);
        var total = 0.0;
        for (var start = 0; start < tokens; start += time)
        {
            using var scope = torch.NewDisposeScope();
            using var noGradient = torch.no_grad();
            var count = Math.Min(time, tokens - start);
            var inputs = torch.tensor(Corpus.Ids.AsSpan(start, count).ToArray().Select(i => (long)i).ToArray()).unsqueeze(0);
            var targets = torch.tensor(Corpus.Ids.AsSpan(start + 1, count).ToArray().Select(i => (long)i).ToArray());
            total += torch.nn.functional.cross_entropy(model.forward(inputs)[0], targets, reduction: torch.nn.Reduction.Sum).item<float>();
        }

        var result = Perplexity.Evaluate(model, Corpus, time, batch, most);
        Assert.Equal(total / tokens, result.Loss, 1e-5);
        Assert.Equal(tokens, result.Tokens);
        Assert.Equal(Corpus.Ids.AsSpan(1, tokens).ToArray().Sum(id => (long)TinyModel.Tokenizer.TokenBytes(id).Length), result.Bytes);
    }

    [Fact]
    public void The_mode_of_the_model_is_left_as_it_was_and_no_gradient_is_made()
    {
        using var model = TinyModel.Create();
        foreach (var training in new[] { true, false })
        {
            model.train(training);
            Perplexity.Evaluate(model, Corpus, 16, 4, 50);
            Assert.Equal(training, model.training);
        }

        Assert.All(model.parameters(), parameter => Assert.Null(parameter.grad));
        Assert.True(torch.is_grad_enabled());
    }

    [Fact]
    public void A_corpus_of_one_token_predicts_nothing()
    {
        using var model = TinyModel.Create();
        Assert.Contains("1 tokens", Assert.Throws<ArgumentException>(() => Perplexity.Evaluate(model, TokenizedCorpus.FromIds([3], new int[300]))).Message, StringComparison.Ordinal);
    }
}
