using System.Diagnostics;
using Toolkit.Checkpoints;
using Toolkit.Data;
using Toolkit.Evaluation;
using Toolkit.Models;
using Toolkit.Native;
using TorchSharp;
using static TorchSharp.torch;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Toolkit.Training;

/// <summary>
/// Trains a model, step after step, as its caller asks for them. It never prints and never plots: each step is a record. The model stays its
/// owner's; the optimizer state is the trainer's.
/// </summary>
public sealed class Trainer : IDisposable
{
    private const int RememberedLosses = 5;
    private const int MeasureActivationsEvery = 100;

    private readonly TokenizedCorpus _train;
    private readonly TokenizedCorpus? _validation;
    private readonly LearningRateSchedule _schedule;
    private readonly SequencePacker _packer;
    private readonly TrainingModel _training;
    private readonly AdamW _optimizer;
    private readonly Device _device;
    private readonly Queue<double> _lastLosses = new();
    private int _stepsHere;
    private int _savedStep = -1;
    private long _activationBytes;
    private bool _disposed;

    /// <summary>A run at its first step.</summary>
    /// <param name="model">The model, with float32 weights.</param>
    /// <param name="train">The tokens to train on.</param>
    /// <param name="options">How to train.</param>
    /// <param name="validation">Tokens to validate on.</param>
    /// <exception cref="ArgumentException">The options do not fit together, or not the model or the corpus.</exception>
    public Trainer(CausalModel model, TokenizedCorpus train, TrainingOptions options, TokenizedCorpus? validation = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(train);
        ArgumentNullException.ThrowIfNull(options);
        Options = options.Validated();
        RequireFit(model, train, nameof(train), options);
        if (validation is not null)
        {
            RequireFit(model, validation, nameof(validation), options);
        }

        (Model, _train, _validation) = (model, train, validation);
        _schedule = new LearningRateSchedule(options.LearningRate, options.MinLearningRate, options.WarmupSteps, options.Steps);
        _packer = new SequencePacker(train, options.BatchSize, options.SequenceLength, options.Seed);
        _training = new TrainingModel(model, options.Precision);
        _optimizer = new AdamW(_training.Parameters, _training.Gradients, options);
        _device = model.Embedding.Weight.device;
    }

    /// <summary>The model that is trained. It lives on when the trainer is disposed, also where <see cref="Resume(string, TokenizedCorpus, TokenizedCorpus?)"/> loaded it.</summary>
    public CausalModel Model { get; }

    /// <summary>How it is trained.</summary>
    public TrainingOptions Options { get; }

    /// <summary>Steps done.</summary>
    public int Step { get; private set; }

    /// <summary>Tokens trained on.</summary>
    public long Tokens { get; private set; }

    /// <summary>Where the data goes on.</summary>
    public StreamPosition Position => _packer.Position;

    /// <summary>Time that the last step spent in forward and backward.</summary>
    internal TimeSpan ModelTime { get; private set; }

    /// <summary>
    /// Continues a run exactly as if it had never stopped: same losses, same weights, to the last bit. It needs the same machine and number of
    /// threads for that.
    /// </summary>
    /// <param name="folder">What <see cref="Save"/> wrote.</param>
    /// <param name="train">The corpus that the run began with.</param>
    /// <param name="validation">Tokens to validate on.</param>
    /// <exception cref="CheckpointException">The folder holds no complete run.</exception>
    /// <exception cref="ArgumentException">It is another corpus.</exception>
    public static Trainer Resume(string folder, TokenizedCorpus train, TokenizedCorpus? validation = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        // Reading the state first also puts right what an interrupted save has left.
        TrainingCheckpoint.RequireSameCorpus(TrainingCheckpoint.Open(folder), train, folder);
        var model = CausalModel.Load(folder);
        try
        {
            return Resume(folder, model, train, validation);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Continues a run on a model that is there already, and is given the weights of the run.</summary>
    /// <param name="folder">What <see cref="Save"/> wrote.</param>
    /// <param name="model">A model of the same shape, with float32 weights.</param>
    /// <param name="train">The corpus that the run began with.</param>
    /// <param name="validation">Tokens to validate on.</param>
    /// <exception cref="CheckpointException">The folder holds no complete run, or one of a model of another shape.</exception>
    /// <exception cref="ArgumentException">It is another corpus.</exception>
    public static Trainer Resume(string folder, CausalModel model, TokenizedCorpus train, TokenizedCorpus? validation = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        var state = TrainingCheckpoint.Open(folder);
        TrainingCheckpoint.RequireSameCorpus(state, train, folder);
        model.LoadWeights(folder);
        var trainer = new Trainer(model, train, state.Options, validation) { Step = state.Step, Tokens = state.Tokens, _savedStep = state.Step };
        try
        {
            trainer._packer.Position = state.Position;
            trainer._optimizer.Load(Path.Combine(folder, TrainingCheckpoint.OptimizerFile));
            foreach (var loss in state.LastLosses)
            {
                trainer._lastLosses.Enqueue(loss);
            }

            return trainer;
        }
        catch
        {
            trainer.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Trains until the last step. With a checkpoint folder it saves there as often as the options say, at the end, and when it is cancelled,
    /// which ends it before the next step. A run that is left early goes on where it was when this is called again.
    /// </summary>
    /// <param name="cancellation">Ends the run at a step boundary.</param>
    /// <exception cref="TrainingDivergedException">A loss or gradient is not a finite number.</exception>
    public IEnumerable<TrainingStep> Run(CancellationToken cancellation = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var clock = Stopwatch.StartNew();
        while (Step < Options.Steps && !cancellation.IsCancellationRequested)
        {
            var step = Next(cancellation);
            if (step is null)
            {
                break;
            }

            var due = Step == Options.Steps || (Options.ValidationEvery > 0 && Step % Options.ValidationEvery == 0);
            var validation = due && _validation is not null ? Validate(_validation) : null;
            if (Options.CheckpointEvery > 0 && Step % Options.CheckpointEvery == 0)
            {
                SaveCheckpoint();
            }

            yield return step with { Elapsed = clock.Elapsed, Validation = validation };
            ObjectDisposedException.ThrowIf(_disposed, this);
        }

        SaveCheckpoint();
    }

    /// <summary>
    /// Saves the run: the model in Hugging Face layout, the optimizer's moments, and where the run is. A checkpoint that is there already is
    /// replaced when the new one is complete; other files in the folder stay.
    /// </summary>
    public void Save(string folder)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentException.ThrowIfNullOrEmpty(folder);
        TrainingCheckpoint.Save(folder, Model, _optimizer, TrainingCheckpoint.State(Options, Step, Tokens, Position, _train, _lastLosses));
    }

    /// <summary>Frees gradients and optimizer state; the model stays.</summary>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _training.Dispose();
            _optimizer.Dispose();
        }
    }

    private static void RequireFit(CausalModel model, TokenizedCorpus corpus, string name, TrainingOptions options)
    {
        if (options.SequenceLength > model.MaxPositions)
        {
            throw new ArgumentException($"sequence length {options.SequenceLength} is more than the {model.MaxPositions} positions of the model");
        }

        if (corpus.Ids.Length > 0 && TensorPrimitives.Max<int>(corpus.Ids) is var most && most >= model.VocabularySize)
        {
            throw new ArgumentException($"the corpus has the id {most}, the model a vocabulary of {model.VocabularySize}", name);
        }
    }

    /// <summary>The next step. Where the host interrupts it, the state before it is saved, and the run ends: without an exception if the caller's own token says so too (null).</summary>
    private TrainingStep? Next(CancellationToken cancellation)
    {
        try
        {
            return Advance();
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            return null;
        }
        catch (OperationCanceledException)
        {
            SaveCheckpoint();
            throw;
        }
    }

    private TrainingStep Advance()
    {
        using var scope = NewDisposeScope();
        using var gradient = enable_grad();
        var clock = Stopwatch.StartNew();
        var number = Step + 1;
        var learningRate = _schedule.At(number);
        var position = _packer.Position;
        double loss, norm;
        try
        {
            loss = Accumulate(number, learningRate);
            norm = _training.Gradients.Norm() / Options.GradientAccumulation;
            RequireFinite("gradient norm", norm, number, learningRate);
        }
        catch
        {
            // Nothing of a step that failed counts: a save after it holds the state before it.
            _packer.Position = position;
            throw;
        }

        var clip = Options.GradientClip > 0 && norm > Options.GradientClip ? Options.GradientClip / (norm + 1e-6) : 1;
        if (clip / Options.GradientAccumulation is var factor && factor != 1)
        {
            _training.Gradients.Scale(factor);
        }

        _optimizer.Step(number, learningRate);
        _training.Refresh();
        Step = number;
        Tokens += Options.TokensPerStep;
        _stepsHere++;
        Remember(loss);
        var rate = Options.TokensPerStep / clock.Elapsed.TotalSeconds;
        return new TrainingStep(number, Options.Steps, Tokens, loss, learningRate, norm, rate, clock.Elapsed)
        {
            ModelFlopsUtilization = 3 * Model.FlopsPerToken(Options.SequenceLength) * rate / Options.PeakFlopsPerSecond,
            Memory = new MemoryUse(_training.WeightBytes, _training.GradientBytes, _optimizer.Bytes, _activationBytes),
        };
    }

    /// <summary>Sums the gradients of the micro-batches; returns their mean loss.</summary>
    private double Accumulate(int number, double learningRate)
    {
        ModelTime = TimeSpan.Zero;
        _training.Gradients.Zero();
        var total = 0.0;
        for (var i = 0; i < Options.GradientAccumulation; i++)
        {
            using var scope = NewDisposeScope();
            var batch = _packer.Next();
            var (inputs, targets) = (batch.Inputs.to(_device), batch.Targets.to(_device));
            var measures = i == 0 && (_stepsHere < 2 || _stepsHere % MeasureActivationsEvery == 0);
            var before = measures ? NativeMemory.AllocatedBytes() : 0;
            var start = Stopwatch.GetTimestamp();
            var loss = _training.Loss(inputs, targets);
            var value = (double)loss.item<float>();
            Interruption.ThrowIfRequested();
            ModelTime += Stopwatch.GetElapsedTime(start);
            _activationBytes = measures ? Math.Max(0, NativeMemory.AllocatedBytes() - before) : _activationBytes;
            RequireFinite("loss", value, number, learningRate);
            start = Stopwatch.GetTimestamp();
            _training.Backward(loss);
            ModelTime += Stopwatch.GetElapsedTime(start);
            total += value;
        }

        return total / Options.GradientAccumulation;
    }

    private EvaluationResult Validate(TokenizedCorpus validation) =>
        Perplexity.Evaluate(Model, validation, Options.SequenceLength, Options.BatchSize, Options.ValidationTokens);

    private void RequireFinite(string what, double value, int number, double learningRate)
    {
        if (!double.IsFinite(value))
        {
            throw new TrainingDivergedException(what, value, number, learningRate, [.. _lastLosses]);
        }
    }

    private void Remember(double loss)
    {
        _lastLosses.Enqueue(loss);
        if (_lastLosses.Count > RememberedLosses)
        {
            _lastLosses.Dequeue();
        }
    }

    private void SaveCheckpoint()
    {
        if (Options.CheckpointFolder is not null && _savedStep != Step)
        {
            Save(Options.CheckpointFolder);
            _savedStep = Step;
        }
    }
}
