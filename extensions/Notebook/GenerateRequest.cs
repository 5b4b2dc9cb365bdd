using Toolkit.Decoding;
using Toolkit.Text;

namespace Toolkit.Notebook;

/// <summary>What <c>toolkit generate</c> is asked for; null: as the model's own defaults have it.</summary>
internal sealed record GenerateRequest(string Model, string Prompt)
{
    public int? Tokens { get; init; }

    public double? Temperature { get; init; }

    public int? TopK { get; init; }

    public double? TopP { get; init; }

    public double? MinP { get; init; }

    public double? RepetitionPenalty { get; init; }

    public long Seed { get; init; }

    public IReadOnlyList<string> Stop { get; init; } = [];

    public bool Chat { get; init; }

    public string? System { get; init; }

    public bool WithoutDefaults { get; init; }

    public string Revision { get; init; } = "main";

    /// <summary>The conversation that a message begins.</summary>
    public ChatMessage[] Messages(string message) => System is null ? [new("user", message)] : [new("system", System), new("user", message)];

    /// <summary>What is asked for, over defaults.</summary>
    public GenerationOptions Over(GenerationOptions defaults)
    {
        // A model that takes the most probable token by default draws where a way to draw is asked for.
        var draws = TopK is not null || TopP is not null || MinP is not null;
        var sampling = defaults.Sampling;
        return defaults with
        {
            MaxTokens = Tokens ?? defaults.MaxTokens,
            MaxLength = Tokens is null ? defaults.MaxLength : null,
            StopStrings = [.. defaults.StopStrings, .. Stop],
            Sampling = sampling with
            {
                Temperature = Temperature ?? (sampling.IsGreedy && draws ? 1 : sampling.Temperature),
                TopK = TopK ?? sampling.TopK,
                TopP = TopP ?? sampling.TopP,
                MinP = MinP ?? sampling.MinP,
                RepetitionPenalty = RepetitionPenalty ?? sampling.RepetitionPenalty,
                Seed = Seed,
            },
        };
    }
}
