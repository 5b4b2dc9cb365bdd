namespace Toolkit.Layers;

/// <summary>How queries, keys and values lie in the linears that make them.</summary>
public enum QueryKeyValueLayout
{
    /// <summary>A linear each.</summary>
    Separate,

    /// <summary>One linear: all queries, then all keys, then all values.</summary>
    Concatenated,

    /// <summary>One linear: for every key-value head the queries that it serves, its key, its value.</summary>
    Grouped,
}

/// <summary>Whether queries and keys are normalised before they meet.</summary>
public enum QueryKeyNorm
{
    /// <summary>They are not.</summary>
    None,

    /// <summary>Every head by itself (Qwen 3).</summary>
    Head,

    /// <summary>All heads together (OLMo 2).</summary>
    Whole,
}

/// <summary>The shape of an attention: multi-head, grouped-query (fewer key-value heads) or multi-query (one), all positions or a window of them.</summary>
public sealed record AttentionOptions
{
    /// <summary>Width of the residual stream.</summary>
    public required int Width { get; init; }

    /// <summary>Query heads.</summary>
    public required int Heads { get; init; }

    /// <summary>Key and value heads; each serves an equal group of query heads.</summary>
    public required int KeyValueHeads { get; init; }

    /// <summary>Width of one head.</summary>
    public required int HeadDimension { get; init; }

    /// <summary>How the linears are arranged.</summary>
    public QueryKeyValueLayout Layout { get; init; }

    /// <summary>Whether queries, keys and values have a bias.</summary>
    public bool Bias { get; init; }

    /// <summary>Whether the output has a bias.</summary>
    public bool OutputBias { get; init; }

    /// <summary>Whether weights are stored as (inputs, outputs).</summary>
    public bool Transposed { get; init; }

    /// <summary>Whether queries and keys are normalised.</summary>
    public QueryKeyNorm QueryKeyNorm { get; init; }

    /// <summary>The norm they are normalised with.</summary>
    public NormKind NormKind { get; init; }

    /// <summary>ε of that norm.</summary>
    public double NormEpsilon { get; init; } = 1e-6;

    /// <summary>Whether queries and keys are turned by their position.</summary>
    public bool Rotary { get; init; } = true;

    /// <summary>What scores are multiplied by; null for 1/√<see cref="HeadDimension"/>.</summary>
    public double? Scale { get; init; }

    /// <summary>What scores are kept below, or null.</summary>
    public double? SoftCap { get; init; }

    /// <summary>The last positions that a query sees, itself included, or null for all.</summary>
    public int? Window { get; init; }
}
