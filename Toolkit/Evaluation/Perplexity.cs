using Toolkit.Data;
using Toolkit.Models;
using Toolkit.Ops;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Evaluation;

/// <summary>How well a model predicts a text, token after token.</summary>
public static class Perplexity
{
    /// <summary>
    /// Mean cross-entropy over consecutive windows of a corpus. Every token but the first is predicted exactly once, from those before it in
    /// its window. No gradient is recorded, and the model is left in the mode (training or evaluation) that it was in.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="corpus">The tokens.</param>
    /// <param name="sequenceLength">Tokens of a window.</param>
    /// <param name="batchSize">Windows at a time.</param>
    /// <param name="maxTokens">Predict no more than this many, from the start.</param>
    /// <exception cref="ArgumentException">There is nothing to predict.</exception>
    public static EvaluationResult Evaluate(
        CausalModel model, TokenizedCorpus corpus, int sequenceLength = 256, int batchSize = 8, long maxTokens = long.MaxValue)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(sequenceLength);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(batchSize);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxTokens);
        var tokens = (int)Math.Min(corpus.Ids.Length - 1, maxTokens);
        if (tokens < 1)
        {
            throw new ArgumentException($"the corpus has {corpus.Ids.Length} tokens; at least 2 are needed to predict one", nameof(corpus));
        }

        var training = model.training;
        using var noGradient = no_grad();
        try
        {
            model.eval();
            var total = 0.0;
            for (var start = 0; start < tokens;)
            {
                Interruption.ThrowIfRequested();

                // The last window may be shorter: it is a batch of its own.
                var time = Math.Min(sequenceLength, tokens - start);
                var rows = Math.Min(batchSize, (tokens - start) / time);
                total += Loss(model, corpus.Ids, start, rows, time) * rows * time;
                start += rows * time;
            }

            return new EvaluationResult(total / tokens, tokens, corpus.BytesOf(1, tokens));
        }
        finally
        {
            model.train(training);
        }
    }

    private static unsafe double Loss(CausalModel model, int[] ids, int start, int rows, int time)
    {
        using var scope = NewDisposeScope();
        var inputs = empty([rows, time], ScalarType.Int64);
        var targets = empty([rows, time], ScalarType.Int64);
        var x = (long*)CpuKernel.Pointer(inputs);
        var y = (long*)CpuKernel.Pointer(targets);
        for (var i = 0; i < rows * time; i++)
        {
            (x[i], y[i]) = (ids[start + i], ids[start + i + 1]);
        }

        var device = model.Embedding.Weight.device;
        var loss = model.Loss(inputs.to(device), targets.to(device));
        GC.KeepAlive(inputs);
        GC.KeepAlive(targets);
        return loss.item<float>();
    }
}
