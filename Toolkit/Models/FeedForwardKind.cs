namespace Toolkit.Models;

/// <summary>What the feed-forward of a block is made of.</summary>
public enum FeedForwardKind
{
    /// <summary>Gate, up and down.</summary>
    Gated,

    /// <summary>The same, gate and up being one linear.</summary>
    GatedFused,

    /// <summary>Up and down.</summary>
    Plain,

    /// <summary>A router and gated experts.</summary>
    MixtureOfExperts,
}
