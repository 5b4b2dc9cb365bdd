namespace Toolkit.Models;

/// <summary>How a model knows where a token stands.</summary>
public enum PositionScheme
{
    /// <summary>Queries and keys are turned by an angle that grows with the position (Su et al., 2021).</summary>
    Rotary,

    /// <summary>A learned vector for every position is added to the embedding.</summary>
    Learned,

    /// <summary>A fixed vector of sines and cosines is added to the embedding (Vaswani et al., 2017).</summary>
    Sinusoidal,

    /// <summary>Scores get a bias that grows with the distance, steeper from head to head (ALiBi, Press et al., 2022).</summary>
    LinearBias,
}
