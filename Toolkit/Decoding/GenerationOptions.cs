namespace Toolkit.Decoding;

/// <summary>What to generate: how much, drawn how, ended by what.</summary>
public sealed record GenerationOptions
{
    /// <summary>The most tokens to generate.</summary>
    public int MaxTokens { get; init; } = 256;

    /// <summary>How tokens are drawn.</summary>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>Texts that end the generation where the first of them occurs; no part of them is shown.</summary>
    public IReadOnlyList<string> StopStrings { get; init; } = [];

    /// <summary>Whether the end-of-text token, the tokenizer's or the model configuration's, ends the generation.</summary>
    public bool StopAtEndOfText { get; init; } = true;

    /// <summary>Checks all values.</summary>
    /// <exception cref="ArgumentException">A value is outside its range.</exception>
    public void Validate()
    {
        if (MaxTokens < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(MaxTokens), $"MaxTokens is {MaxTokens}, but must be at least 1.");
        }

        for (var i = 0; i < StopStrings.Count; i++)
        {
            if (string.IsNullOrEmpty(StopStrings[i]))
            {
                throw new ArgumentException($"Stop string {i + 1} of {StopStrings.Count} is empty.", nameof(StopStrings));
            }
        }

        Sampling.Validate();
    }
}
