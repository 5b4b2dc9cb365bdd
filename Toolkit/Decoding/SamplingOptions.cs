namespace Toolkit.Decoding;

/// <summary>How the next token is drawn from the model's logits. The default draws from the model's own distribution.</summary>
/// <remarks>Filters apply in the order of Hugging Face transformers: repetition penalty, temperature, top-k, top-p, min-p.</remarks>
public sealed record SamplingOptions
{
    /// <summary>Always the most probable token.</summary>
    public static SamplingOptions Greedy { get; } = new() { Temperature = 0 };

    /// <summary>Divides the logits: below 1 sharpens, above 1 flattens, 0 is greedy.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>Keeps the k most probable tokens (and those tied with the last of them); 0 keeps all.</summary>
    public int TopK { get; init; }

    /// <summary>Keeps the fewest most probable tokens whose probabilities reach this sum (nucleus sampling, arXiv 1904.09751); 1 keeps all.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Drops tokens less probable than this share of the most probable one (arXiv 2407.01082); 0 keeps all.</summary>
    public double MinP { get; init; }

    /// <summary>Divides positive and multiplies negative logits of tokens already in the context (arXiv 1909.05858); 1 is off.</summary>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>Seed of the random draws: the same seed gives the same text.</summary>
    public long Seed { get; init; }

    /// <summary>Whether the most probable token is taken without a draw.</summary>
    public bool IsGreedy => Temperature == 0;

    /// <summary>Checks all values.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range.</exception>
    public void Validate()
    {
        Require(Temperature >= 0 && double.IsFinite(Temperature), nameof(Temperature), Temperature, "0 (greedy) or positive and finite");
        Require(TopK >= 0, nameof(TopK), TopK, "0 (off) or positive");
        Require(TopP is > 0 and <= 1, nameof(TopP), TopP, "above 0 and at most 1 (off)");
        Require(MinP is >= 0 and <= 1, nameof(MinP), MinP, "from 0 (off) to 1");
        Require(RepetitionPenalty > 0 && double.IsFinite(RepetitionPenalty), nameof(RepetitionPenalty), RepetitionPenalty, "positive and finite (1 is off)");
    }

    private static void Require(bool holds, string name, double value, string range)
    {
        if (!holds)
        {
            throw new ArgumentOutOfRangeException(name, $"{name} is {value}, but must be {range}.");
        }
    }
}
