using System.Runtime.InteropServices;
using Toolkit.Graphs;
using Toolkit.Models;
using Toolkit.Text;

namespace Toolkit.Decoding;

/// <summary>Generates text, token by token.</summary>
public static class Generator
{
    /// <summary>Yields tokens as they are decoded. Nothing is computed before the first token is asked for, nor after enumeration stops.</summary>
    /// <param name="model">The model.</param>
    /// <param name="tokenizer">The tokenizer that the model was trained with.</param>
    /// <param name="prompt">
    /// The text to continue, encoded as transformers does: with what the tokenizer puts around a text, such as a beginning (once, if the text begins with it
    /// itself), and special tokens found by their text. An empty one begins a new text.
    /// </param>
    /// <param name="options">What to generate.</param>
    /// <param name="cancellation">Ends the sequence before the next token.</param>
    /// <param name="compiled">The model's compiled decode step; null: every token runs as the model does it.</param>
    /// <returns>
    /// The tokens; the last one says in <see cref="GeneratedToken.Finish"/> why it is the last (a cancelled sequence has no such token).
    /// Where prompt and text fill all of the model's positions, the sequence ends with <see cref="FinishReason.ContextFull"/>.
    /// </returns>
    /// <exception cref="ArgumentException">The options are out of range, or the prompt leaves no position free, or holds a token that the model does not have.</exception>
    public static IEnumerable<GeneratedToken> Generate(
        CausalModel model, Tokenizer tokenizer, string prompt, GenerationOptions options, CancellationToken cancellation = default, CompiledDecoder? compiled = null) =>
        Generate(model, tokenizer, PromptIds(model, tokenizer, prompt, options), options, cancellation, compiled);

    /// <summary>The same for a prompt that is encoded already: exactly these tokens are continued.</summary>
    /// <param name="model">The model.</param>
    /// <param name="tokenizer">The tokenizer that the model was trained with.</param>
    /// <param name="prompt">The tokens to continue, one at least.</param>
    /// <param name="options">What to generate.</param>
    /// <param name="cancellation">Ends the sequence before the next token.</param>
    /// <param name="compiled">The model's compiled decode step; null: every token runs as the model does it.</param>
    /// <exception cref="ArgumentException">The options are out of range, or the prompt is empty, leaves no position free, or holds a token that the model does not have.</exception>
    public static IEnumerable<GeneratedToken> Generate(
        CausalModel model, Tokenizer tokenizer, IReadOnlyList<int> prompt, GenerationOptions options, CancellationToken cancellation = default, CompiledDecoder? compiled = null)
    {
        options.Validate();
        int[] ids = [.. prompt];
        Require(model, ids, options);
        return Decode(model, tokenizer, ids, options, cancellation, compiled);
    }

    private static int[] PromptIds(CausalModel model, Tokenizer tokenizer, string prompt, GenerationOptions options)
    {
        var ids = tokenizer.Encode(prompt, parseSpecialTokens: true, addSpecialTokens: true);
        if (ids.Length == 0)
        {
            var begin = options.BeginTokenId ?? model.BeginTokenId ?? (tokenizer.BeginOfTextId >= 0 ? tokenizer.BeginOfTextId : tokenizer.EndOfTextId);
            return begin >= 0 ? [begin] : throw new ArgumentException("The prompt is empty and the tokenizer has no end-of-text token to begin with.", nameof(prompt));
        }

        // A text that a chat template wrote has its beginning already.
        return ids.Length > 1 && ids[0] == ids[1] && tokenizer.SpecialTokens.Values.Contains(ids[0]) && tokenizer.Encode("", addSpecialTokens: true) is [var first, ..] && first == ids[0]
            ? ids[1..]
            : ids;
    }

    private static void Require(CausalModel model, int[] ids, GenerationOptions options)
    {
        if (ids.Length == 0)
        {
            throw new ArgumentException("The prompt has no token.", "prompt");
        }

        if (ids.Length >= Math.Min(model.MaxPositions, options.MaxLength ?? int.MaxValue))
        {
            var limit = options.MaxLength < model.MaxPositions ? $"MaxLength (max_length) is {options.MaxLength}" : $"the model {model.MaxPositions} positions";
            throw new ArgumentException($"The prompt has {ids.Length} tokens and {limit}: none is left to generate.", "prompt");
        }

        if (ids.Min() < 0 || ids.Max() >= model.VocabularySize)
        {
            throw new ArgumentException($"The prompt has token {(ids.Min() < 0 ? ids.Min() : ids.Max())}, the model a vocabulary of {model.VocabularySize}: is this the model's tokenizer?", "prompt");
        }
    }

    // The loop holds no dispose scope and no gradient mode over a yield: both belong to a thread, and the caller may change threads.
    private static IEnumerable<GeneratedToken> Decode(
        CausalModel model, Tokenizer tokenizer, int[] prompt, GenerationOptions options, CancellationToken cancellation, CompiledDecoder? compiled)
    {
        var room = model.MaxPositions - prompt.Length;
        var most = Math.Min(options.MaxTokens, (options.MaxLength ?? int.MaxValue) - prompt.Length);
        var count = Math.Min(most, room);
        var atCount = most <= room ? FinishReason.MaxTokens : FinishReason.ContextFull;
        using var session = new DecodeSession(model, prompt.Length + count - 1, compiled);
        var choice = new TokenChoice(options.Sampling, Math.Min(model.VocabularySize, tokenizer.VocabularySize));
        var text = new TokenText(tokenizer, options.StopStrings);
        var context = new List<int>(prompt.Length + count);
        context.AddRange(prompt);
        HashSet<int> ends = options.StopAtEndOfText ? [tokenizer.EndOfTextId, .. model.EndTokenIds, .. options.EndTokenIds] : [];
        for (var i = 0; i < count && !cancellation.IsCancellationRequested; i++)
        {
            session.Feed(CollectionsMarshal.AsSpan(context)[session.Length..]);
            var (id, logProbability) = choice.Next(session.Logits, CollectionsMarshal.AsSpan(context));
            context.Add(id);
            var token = text.Append(id, ends.Contains(id), i == count - 1 ? atCount : null);
            yield return new GeneratedToken(id, token.Text, logProbability) { Finish = token.Finish };
            if (token.Finish is not null)
            {
                yield break;
            }
        }
    }
}

/// <summary>Draws tokens from logits under one set of options; keeps the random state and the buffer.</summary>
/// <param name="options">How to draw.</param>
/// <param name="vocabulary">Ids below this can be drawn: rows that only pad the model's vocabulary cannot.</param>
internal sealed class TokenChoice(SamplingOptions options, int vocabulary)
{
    private readonly Sampler _sampler = new(options.Seed);
    private readonly float[] _probabilities = new float[vocabulary];

    public (int Id, double LogProbability) Next(ReadOnlySpan<float> logits, ReadOnlySpan<int> context)
    {
        logits = logits[..vocabulary];
        Distribution.FromLogits(logits, _probabilities, options, context);
        var id = _sampler.Draw(_probabilities);
        return (id, Distribution.LogProbability(logits, id, _probabilities));
    }
}

/// <summary>Turns token ids into text that can be shown: whole characters, nothing of a stop string.</summary>
internal sealed class TokenText(Tokenizer tokenizer, IReadOnlyList<string> stopStrings)
{
    private readonly IncrementalDecoder _decoder = new(tokenizer, skipSpecialTokens: true);
    private readonly StopStringFilter _filter = new(stopStrings);

    /// <summary>Takes a token; <paramref name="limit"/> is the reason to end with it if there is no other.</summary>
    public (string Text, FinishReason? Finish) Append(int id, bool endOfText, FinishReason? limit)
    {
        var shown = endOfText ? "" : _filter.Append(_decoder.Append(id));
        if (!_filter.Stopped && (endOfText || limit is not null))
        {
            shown += _filter.Append(_decoder.Flush());
            shown += _filter.Flush();
        }

        return (shown, _filter.Stopped ? FinishReason.StopString : endOfText ? FinishReason.EndOfText : limit);
    }
}
