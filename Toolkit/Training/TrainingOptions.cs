using System.Text.Json.Serialization;

namespace Toolkit.Training;

/// <summary>How to train. The defaults suit a model of one to ten million parameters.</summary>
public sealed record TrainingOptions
{
    private readonly double? _minLearningRate;
    private readonly int? _warmupSteps;

    /// <summary>Optimizer steps of the whole run.</summary>
    public int Steps { get; init; } = 1000;

    /// <summary>Rows of one micro-batch.</summary>
    public int BatchSize { get; init; } = 16;

    /// <summary>Tokens of a row.</summary>
    public int SequenceLength { get; init; } = 256;

    /// <summary>Micro-batches of one step: their gradients are averaged, so memory is that of one.</summary>
    public int GradientAccumulation { get; init; } = 1;

    /// <summary>Learning rate after the warm-up.</summary>
    public double LearningRate { get; init; } = 1e-3;

    /// <summary>Learning rate of the last step; by default a tenth of <see cref="LearningRate"/>.</summary>
    public double MinLearningRate { get => _minLearningRate ?? LearningRate / 10; init => _minLearningRate = value; }

    /// <summary>Steps over which the learning rate rises in a line; by default a twentieth of the run, at most 100.</summary>
    public int WarmupSteps { get => _warmupSteps ?? Math.Min(100, Steps / 20); init => _warmupSteps = value; }

    /// <summary>Decoupled weight decay of all matrices, the embedding table included; norms and biases are not decayed.</summary>
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>Decay of the mean of gradients.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of the mean of squared gradients.</summary>
    public double Beta2 { get; init; } = 0.95;

    /// <summary>What is added to the root of the mean square.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Gradients of a larger global L2 norm are scaled down to it; 0: never.</summary>
    public double GradientClip { get; init; } = 1.0;

    /// <summary>What forward and backward are computed in. Weights and optimizer state are float32 always.</summary>
    public TrainingPrecision Precision { get; init; } = TrainingPrecision.Float32;

    /// <summary>Seed of the order of the data.</summary>
    public long Seed { get; init; }

    /// <summary>Steps between two validations; 0: only behind the last step.</summary>
    public int ValidationEvery { get; init; } = 100;

    /// <summary>Tokens of one validation, from the start of the validation corpus.</summary>
    public long ValidationTokens { get; init; } = 65536;

    /// <summary>Folder that checkpoints go to, each in place of the one before; null: none are made.</summary>
    public string? CheckpointFolder { get; init; }

    /// <summary>Steps between two checkpoints; 0: only at the end, or when the run is cancelled.</summary>
    public int CheckpointEvery { get; init; }

    /// <summary>FLOP/s of a large matrix product on this machine, that utilization is relative to; null: steps do not know theirs.</summary>
    public double? PeakFlopsPerSecond { get; init; }

    /// <summary>Tokens of one optimizer step.</summary>
    [JsonIgnore]
    public long TokensPerStep => (long)BatchSize * SequenceLength * GradientAccumulation;

    /// <summary>These options, checked.</summary>
    /// <exception cref="ArgumentException">A number is out of range, or two do not fit together.</exception>
    public TrainingOptions Validated()
    {
        Require(Steps > 0, $"steps {Steps} is not positive");
        Require(BatchSize > 0, $"batch size {BatchSize} is not positive");
        Require(SequenceLength > 0, $"sequence length {SequenceLength} is not positive");
        Require(GradientAccumulation > 0, $"gradient accumulation {GradientAccumulation} is not positive");
        Require(LearningRate > 0 && double.IsFinite(LearningRate), $"learning rate {LearningRate} is not positive and finite");
        Require(MinLearningRate >= 0 && MinLearningRate <= LearningRate, $"minimum learning rate {MinLearningRate} is not between 0 and the learning rate {LearningRate}");
        Require(WarmupSteps >= 0 && WarmupSteps <= Steps, $"warm-up of {WarmupSteps} steps is not between 0 and the {Steps} steps of the run");
        Require(WeightDecay >= 0 && double.IsFinite(WeightDecay), $"weight decay {WeightDecay} is not 0 or more");
        Require(Beta1 is >= 0 and < 1, $"beta1 {Beta1} is not in [0, 1)");
        Require(Beta2 is >= 0 and < 1, $"beta2 {Beta2} is not in [0, 1)");
        Require(Epsilon > 0 && double.IsFinite(Epsilon), $"epsilon {Epsilon} is not positive");
        Require(GradientClip >= 0, $"gradient clip {GradientClip} is not 0 or more");
        Require(Enum.IsDefined(Precision), $"precision {Precision} is not known");
        Require(ValidationEvery >= 0, $"validation every {ValidationEvery} steps is negative");
        Require(ValidationTokens > 0, $"validation tokens {ValidationTokens} is not positive");
        Require(CheckpointEvery >= 0, $"checkpoint every {CheckpointEvery} steps is negative");
        Require(CheckpointEvery == 0 || CheckpointFolder is not null, $"checkpoint every {CheckpointEvery} steps needs a checkpoint folder");
        Require(PeakFlopsPerSecond is null or > 0, $"peak of {PeakFlopsPerSecond} FLOP/s is not positive");
        return this;
    }

    private static void Require(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new ArgumentException(otherwise);
        }
    }
}

/// <summary>What forward and backward are computed in.</summary>
public enum TrainingPrecision
{
    /// <summary>float32 throughout.</summary>
    Float32,

    /// <summary>
    /// A bfloat16 copy of the weights runs forward and backward; its gradients update the float32 weights. It is faster only where the processor
    /// multiplies bfloat16 itself (AVX512-BF16, AMX, a GPU); elsewhere it is several times slower.
    /// </summary>
    BFloat16,
}
