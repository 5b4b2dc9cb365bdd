using Toolkit.Evaluation;

namespace Toolkit.Training;

/// <summary>What one optimizer step did. The trainer yields one a step; charts, logs and early stopping consume them.</summary>
/// <param name="Step">1 for the first step; continues over a resume.</param>
/// <param name="TotalSteps">Steps of the whole run.</param>
/// <param name="Tokens">Tokens trained on so far.</param>
/// <param name="Loss">Mean cross-entropy a token of this step's batch, in nats.</param>
/// <param name="LearningRate">Learning rate of this step.</param>
/// <param name="GradientNorm">Global L2 norm of the gradients before clipping.</param>
/// <param name="TokensPerSecond">Tokens of this step by its wall time.</param>
/// <param name="Elapsed">Wall time since the run was started or resumed, validation included.</param>
public sealed record TrainingStep(
    int Step, int TotalSteps, long Tokens, double Loss, double LearningRate, double GradientNorm, double TokensPerSecond, TimeSpan Elapsed)
{
    /// <summary>Model FLOPs utilization: model FLOP/s of this step over the matrix-multiply rate that was measured on this machine; null where none was given.</summary>
    public double? ModelFlopsUtilization { get; init; }

    /// <summary>Memory by kind at this step.</summary>
    public MemoryUse? Memory { get; init; }

    /// <summary>The validation result, on the steps where one was asked for.</summary>
    public EvaluationResult? Validation { get; init; }
}
