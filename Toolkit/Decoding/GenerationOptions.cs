namespace Toolkit.Decoding;

/// <summary>What to generate: how much, drawn how, ended by what.</summary>
public sealed record GenerationOptions
{
    /// <summary>The most tokens to generate.</summary>
    public int MaxTokens { get; init; } = 256;

    /// <summary>The most tokens of prompt and answer together; null: as many as the model has positions.</summary>
    public int? MaxLength { get; init; }

    /// <summary>How tokens are drawn.</summary>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>Texts that end the generation where the first of them occurs; no part of them is shown.</summary>
    public IReadOnlyList<string> StopStrings { get; init; } = [];

    /// <summary>Whether the end-of-text token, the tokenizer's or the model configuration's, ends the generation.</summary>
    public bool StopAtEndOfText { get; init; } = true;

    /// <summary>Further ids that end the generation, beside the tokenizer's end of text and those of the model configuration.</summary>
    public IReadOnlyList<int> EndTokenIds { get; init; } = [];

    /// <summary>The id that an empty prompt begins with; null: the model's, or else the tokenizer's begin or end of text.</summary>
    public int? BeginTokenId { get; init; }

    /// <summary>
    /// How the makers of a model want it to generate: what <c>generation_config.json</c> in its folder says, as transformers reads it (without
    /// <c>do_sample</c> that is greedy); the options' own defaults where there is no such file, and for the number of tokens where that says none.
    /// </summary>
    /// <param name="folder">A Hugging Face model folder.</param>
    /// <exception cref="InvalidDataException">The file is malformed.</exception>
    /// <exception cref="NotSupportedException">It asks for a way to generate that is not supported.</exception>
    public static GenerationOptions Load(string folder) => GenerationFile.Find(folder)?.Options ?? new();

    /// <summary>Writes <c>generation_config.json</c> into a folder: all but the seed and <see cref="StopAtEndOfText"/>, for which it has no place.</summary>
    /// <param name="folder">A folder that is there.</param>
    public void Save(string folder) => GenerationFile.Write(folder, this);

    /// <summary>Checks all values.</summary>
    /// <exception cref="ArgumentException">A value is outside its range.</exception>
    public void Validate()
    {
        if (MaxTokens < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(MaxTokens), $"MaxTokens is {MaxTokens}, but must be at least 1.");
        }

        if (MaxLength < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(MaxLength), $"MaxLength is {MaxLength}, but must be at least 1.");
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
