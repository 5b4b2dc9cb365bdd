namespace Toolkit.Decoding;

/// <summary>One decoded token. The texts of a sequence of them, joined, are the generated text.</summary>
/// <param name="Id">Token id.</param>
/// <param name="Text">The text that this token completed: whole characters only, so it may be empty, or hold characters that earlier tokens began.</param>
/// <param name="LogProbability">Natural logarithm of the probability that the model itself gave to the token, before temperature and filters.</param>
public sealed record GeneratedToken(int Id, string Text, double LogProbability)
{
    /// <summary>Why the generation ended with this token; null on every token but the last.</summary>
    public FinishReason? Finish { get; init; }
}

/// <summary>Why a generation ended.</summary>
public enum FinishReason
{
    /// <summary>The model produced the end-of-text token; it is the last token of the sequence and spells nothing.</summary>
    EndOfText,

    /// <summary>A stop string occurred.</summary>
    StopString,

    /// <summary>As many tokens as were asked for.</summary>
    MaxTokens,

    /// <summary>Prompt and text fill all positions that the model has.</summary>
    ContextFull,
}
