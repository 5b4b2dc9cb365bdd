using System.Diagnostics;
using System.Numerics.Tensors;
using Toolkit.Decoding;
using Toolkit.Evaluation;
using Toolkit.Graphs;
using Toolkit.Models;

namespace Toolkit.Measurement;

/// <summary>Measures how fast a model decodes, and how much of the machine's bandwidth that uses.</summary>
public static class DecodeBenchmark
{
    /// <summary>Feeds a prompt, then decodes greedily, one token at a time; a short run before it warms up.</summary>
    /// <param name="model">The model.</param>
    /// <param name="promptTokens">Tokens of the prompt, at least 1.</param>
    /// <param name="tokens">Tokens to decode, at least 1.</param>
    /// <param name="ceiling">The machine's ceilings, from <see cref="MachineCeilings"/>.</param>
    /// <param name="compiled">The model's compiled decode step; null: as the model does it. All its graphs are made before the clock runs.</param>
    /// <exception cref="ArgumentOutOfRangeException">A count is below 1, or prompt and tokens do not fit the model's positions.</exception>
    public static DecodeMeasurement Measure(CausalModel model, int promptTokens, int tokens, MachineCeiling ceiling, CompiledDecoder? compiled = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(promptTokens, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(tokens, 1);
        if (promptTokens + tokens > model.MaxPositions)
        {
            throw new ArgumentOutOfRangeException(
                nameof(tokens), $"A prompt of {promptTokens} and {tokens} decoded tokens do not fit the model's {model.MaxPositions} positions.");
        }

        using var session = new DecodeSession(model, promptTokens + tokens, compiled);
        var prompt = new int[promptTokens];
        for (var i = 0; i < promptTokens; i++)
        {
            // Any ids will do; these are spread over the vocabulary and the same in every run.
            prompt[i] = (int)(i * 7919L % model.VocabularySize);
        }

        Run(session, prompt, compiled is null ? Math.Min(tokens, 4) : tokens);
        session.Reset();
        var (prefill, decode) = Run(session, prompt, tokens);
        var memory = new MemoryUse(model.ParameterBytes, KeyValueCache: session.StateBytes);
        return new DecodeMeasurement(tokens, prefill, decode, BytesPerToken(model, session, promptTokens, tokens), ceiling, memory);
    }

    /// <summary>Every weight but the embedding rows that a token does not look up, and the state (keys and values of all tokens so far), in the mean over the run.</summary>
    private static double BytesPerToken(CausalModel model, DecodeSession session, int promptTokens, int tokens) =>
        model.WeightBytesPerToken + Enumerable.Range(promptTokens + 1, tokens).Average(session.StateBytesAt);

    private static (TimeSpan Prefill, TimeSpan Decode) Run(DecodeSession session, ReadOnlySpan<int> prompt, int tokens)
    {
        var start = Stopwatch.GetTimestamp();
        session.Feed(prompt);
        var prefill = Stopwatch.GetElapsedTime(start);
        start = Stopwatch.GetTimestamp();
        for (var i = 0; i < tokens; i++)
        {
            session.Feed([TensorPrimitives.IndexOfMax(session.Logits)]);
        }

        return (prefill, Stopwatch.GetElapsedTime(start));
    }
}
