namespace Toolkit.Decoding;

/// <summary>What to generate: how much, drawn how, ended by what.</summary>
public sealed record GenerationOptions
{
    /// <summary>Name of the file beside the weights.</summary>
    public const string FileName = GenerationFile.Name;

    /// <summary>The most tokens to generate.</summary>
    public int MaxTokens { get; init; } = 256;

    /// <summary>How tokens are drawn.</summary>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>Texts that end the generation where the first of them occurs; no part of them is shown.</summary>
    public IReadOnlyList<string> StopStrings { get; init; } = [];

    /// <summary>Whether the end-of-text token, the tokenizer's or the model configuration's, ends the generation.</summary>
    public bool StopAtEndOfText { get; init; } = true;

    /// <summary>Further ids that end the generation, beside the tokenizer's end of text and those of the model configuration.</summary>
    public IReadOnlyList<int> EndTokenIds { get; init; } = [];

    /// <summary>
    /// How the makers of a model want it to generate: what <c>generation_config.json</c> in its folder says, as transformers reads it (without
    /// <c>do_sample</c> that is greedy); the options' own defaults where there is no such file.
    /// </summary>
    /// <param name="folder">A Hugging Face model folder.</param>
    /// <exception cref="InvalidDataException">The file is malformed.</exception>
    /// <exception cref="NotSupportedException">It asks for a way to generate that is not supported.</exception>
    public static GenerationOptions Load(string folder) => GenerationFile.Read(folder);

    /// <summary>Writes <c>generation_config.json</c> into a folder.</summary>
    public void Save(string folder) => GenerationFile.Write(folder, this);

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
