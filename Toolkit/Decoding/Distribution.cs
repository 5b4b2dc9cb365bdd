using System.Buffers;
using System.Numerics.Tensors;

namespace Toolkit.Decoding;

/// <summary>Makes probabilities from logits. Drawing from them is the <see cref="Sampler"/>'s work.</summary>
public static class Distribution
{
    /// <summary>The probabilities of the next token under <paramref name="options"/>: penalty, temperature, top-k, top-p, min-p, normalised to sum 1.</summary>
    /// <param name="logits">One row of logits, (V).</param>
    /// <param name="probabilities">Receives the probabilities, (V); must not overlap <paramref name="logits"/>.</param>
    /// <param name="options">Temperature 0 gives a one at the largest logit, the first of equals.</param>
    /// <param name="context">Token ids of prompt and text so far, for the repetition penalty.</param>
    /// <exception cref="ArgumentException">The spans differ in length or overlap, or <paramref name="logits"/> is empty.</exception>
    /// <exception cref="InvalidOperationException">The logits hold NaN or +infinity, or nothing but -infinity.</exception>
    public static void FromLogits(ReadOnlySpan<float> logits, Span<float> probabilities, SamplingOptions options, ReadOnlySpan<int> context = default)
    {
        if (logits.IsEmpty || logits.Length != probabilities.Length || logits.Overlaps(probabilities))
        {
            throw new ArgumentException($"{logits.Length} logits need a separate buffer of as many probabilities, not {probabilities.Length}.", nameof(probabilities));
        }

        options.Validate();
        logits.CopyTo(probabilities);
        Penalise(logits, probabilities, (float)options.RepetitionPenalty, context);
        var best = Best(probabilities);
        if (options.IsGreedy)
        {
            probabilities.Clear();
            probabilities[best] = 1;
            return;
        }

        if (options.TopK > 0 && options.TopK < probabilities.Length)
        {
            KeepTop(probabilities, options.TopK);
        }

        SoftMax(probabilities, probabilities[best], options.Temperature);
        if (options.TopP < 1)
        {
            KeepNucleus(probabilities, options.TopP);
        }

        if (options.MinP > 0)
        {
            DropBelow(probabilities, (float)options.MinP * probabilities[best]);
        }

        TensorPrimitives.Divide(probabilities, TensorPrimitives.Sum<float>(probabilities), probabilities);
    }

    /// <summary>The natural logarithm of the model's own probability of a token.</summary>
    /// <param name="logits">One row of logits, (V).</param>
    /// <param name="id">The token.</param>
    /// <param name="scratch">A buffer of the same length, overwritten.</param>
    internal static double LogProbability(ReadOnlySpan<float> logits, int id, Span<float> scratch)
    {
        var max = TensorPrimitives.Max(logits);
        TensorPrimitives.Subtract(logits, max, scratch);
        TensorPrimitives.Exp<float>(scratch, scratch);
        return logits[id] - (double)max - Math.Log(TensorPrimitives.Sum<float>(scratch));
    }

    /// <summary>The index of the largest logit, the first of equals.</summary>
    /// <exception cref="InvalidOperationException">The logits hold NaN or +infinity, or nothing but -infinity.</exception>
    internal static int Best(ReadOnlySpan<float> logits)
    {
        var best = TensorPrimitives.IndexOfMax(logits);
        var value = logits[best];
        if (float.IsFinite(value))
        {
            return best;
        }

        throw new InvalidOperationException(float.IsNegativeInfinity(value)
            ? $"All {logits.Length} logits are -infinity: no token is possible."
            : $"Logit {best} of {logits.Length} is {value}: the model's weights or activations are damaged (did training diverge?).");
    }

    private static void Penalise(ReadOnlySpan<float> logits, Span<float> penalised, float penalty, ReadOnlySpan<int> context)
    {
        if (penalty == 1)
        {
            return;
        }

        foreach (var id in context)
        {
            // Read from the untouched row, so that a token that occurs twice is penalised once.
            penalised[id] = logits[id] < 0 ? logits[id] * penalty : logits[id] / penalty;
        }
    }

    private static void SoftMax(Span<float> values, float max, double temperature)
    {
        TensorPrimitives.Subtract(values, max, values);
        if (temperature != 1)
        {
            // The largest value is 0 now: dividing by however small a temperature cannot overflow upwards.
            TensorPrimitives.Divide(values, (float)Math.Max(temperature, 1e-30), values);
        }

        TensorPrimitives.Exp<float>(values, values);
        TensorPrimitives.Divide(values, TensorPrimitives.Sum<float>(values), values);
    }

    private static void KeepTop(Span<float> logits, int k)
    {
        var top = new PriorityQueue<float, float>(k);
        foreach (var logit in logits[..k])
        {
            top.Enqueue(logit, logit);
        }

        var threshold = top.Peek();
        foreach (var logit in logits[k..])
        {
            if (logit > threshold)
            {
                top.EnqueueDequeue(logit, logit);
                threshold = top.Peek();
            }
        }

        foreach (ref var logit in logits)
        {
            logit = logit < threshold ? float.NegativeInfinity : logit;
        }
    }

    /// <summary>Walks up from the least probable token and drops while what was dropped stays within 1 - p; the most probable token always stays.</summary>
    private static void KeepNucleus(Span<float> probabilities, double p)
    {
        // Tokens below (1 - p) / V together weigh less than 1 - p: they go without being sorted.
        var negligible = (float)((1 - p) / probabilities.Length);
        var keys = ArrayPool<ulong>.Shared.Rent(probabilities.Length);
        try
        {
            var count = 0;
            var dropped = 0.0;
            for (var id = 0; id < probabilities.Length; id++)
            {
                var probability = probabilities[id];
                if (probability < negligible)
                {
                    dropped += probability;
                    probabilities[id] = 0;
                }
                else
                {
                    // Bits of non-negative floats sort as the floats do; the id below them makes the order of equals certain.
                    keys[count++] = ((ulong)BitConverter.SingleToUInt32Bits(probability) << 32) | (uint)id;
                }
            }

            keys.AsSpan(0, count).Sort();
            for (var i = 0; i < count - 1; i++)
            {
                var id = (int)(uint)keys[i];
                dropped += probabilities[id];
                if (dropped > 1 - p)
                {
                    break;
                }

                probabilities[id] = 0;
            }
        }
        finally
        {
            ArrayPool<ulong>.Shared.Return(keys);
        }
    }

    private static void DropBelow(Span<float> probabilities, float threshold)
    {
        foreach (ref var probability in probabilities)
        {
            probability = probability < threshold ? 0 : probability;
        }
    }
}
