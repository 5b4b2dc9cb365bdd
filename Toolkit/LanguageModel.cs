using System.Runtime.CompilerServices;
using Toolkit.Checkpoints;
using Toolkit.Data;
using Toolkit.Decoding;
using Toolkit.Evaluation;
using Toolkit.Measurement;
using Toolkit.Models;
using Toolkit.Text;
using Toolkit.Training;
using TorchSharp;

namespace Toolkit;

/// <summary>A model and its tokenizer: text in, text out. Everything it does is one call of a room that can be called directly.</summary>
/// <example>
/// <code>
/// var corpus = Corpus.Open("sotu");
/// var tokenizer = Tokenizer.Train(corpus.Train, 4096);
/// using var model = LanguageModel.Create(DecoderConfig.Llama(layers: 4, width: 128, heads: 4, keyValueHeads: 2, vocabularySize: 4096), tokenizer);
/// foreach (var step in model.Train(corpus, new TrainingOptions { Steps = 200 })) { }
/// model.Generate("My fellow citizens,", tokens: 100).Stream();
/// model.Save("my-model");
/// </code>
/// </example>
public sealed partial class LanguageModel : IDisposable
{
    // Tokenizing a corpus takes longer than many a training step: it is done once a corpus and model.
    private readonly ConditionalWeakTable<Corpus, TokenizedSplits> _tokenized = [];

    private readonly Lazy<GenerationOptions> _defaults;
    private readonly string? _folder;

    private LanguageModel(CausalModel model, Tokenizer tokenizer, string? folder = null)
    {
        Model = model;
        Tokenizer = tokenizer;
        _folder = folder;
        _defaults = new(() => folder is null ? new() : GenerationOptions.Load(folder));
    }

    /// <summary>The model; it lives as long as this object.</summary>
    public CausalModel Model { get; }

    /// <summary>The model as a decoder with attention.</summary>
    /// <exception cref="InvalidOperationException">It is one of another kind.</exception>
    public Decoder Decoder => Model as Decoder ?? throw new InvalidOperationException($"a {Model.ModelType} model is no decoder with attention: ask for Model");

    /// <summary>The tokenizer.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>How this model generates where nothing else is asked for: what <c>generation_config.json</c> in its folder says, read when it is first needed.</summary>
    /// <exception cref="InvalidDataException">The file is malformed.</exception>
    /// <exception cref="NotSupportedException">It asks for a way to generate that is not supported.</exception>
    public GenerationOptions GenerationDefaults => _defaults.Value;

    /// <summary>Makes a model with random weights.</summary>
    /// <param name="config">Its shape.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="seed">Seed of the weights.</param>
    /// <exception cref="ArgumentException">The tokenizer has more tokens than the model's vocabulary.</exception>
    public static LanguageModel Create(DecoderConfig config, Tokenizer tokenizer, long seed = 0)
    {
        RequireVocabulary(config.VocabularySize, tokenizer, "this configuration");
        return new LanguageModel(Decoder.Create(config, seed), tokenizer);
    }

    /// <summary>Puts a model and a tokenizer together.</summary>
    /// <param name="model">The model, of any kind; it becomes this object's.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <exception cref="ArgumentException">The tokenizer has more tokens than the model's vocabulary.</exception>
    public static LanguageModel Create(CausalModel model, Tokenizer tokenizer)
    {
        RequireVocabulary(model.VocabularySize, tokenizer, "this model");
        return new LanguageModel(model, tokenizer);
    }

    /// <summary>
    /// Loads a folder in Hugging Face layout: <c>config.json</c>, <c>model.safetensors</c> (or shards) and <c>tokenizer.json</c>; or a model by its name there,
    /// which is looked for in the cache that other tools share, and else downloaded: see <see cref="ModelCache"/>.
    /// </summary>
    /// <param name="folder">The folder, or a name such as <c>org/name</c>.</param>
    /// <param name="dtype">Type of the weights in memory; default: float32.</param>
    /// <exception cref="ArgumentException">The tokenizer has more tokens than the model's vocabulary.</exception>
    public static LanguageModel Load(string folder, torch.ScalarType? dtype = null)
    {
        folder = ModelCache.FromEnvironment().Resolve(folder);
        var tokenizer = Tokenizer.Load(folder);
        var model = CausalModel.Load(folder, dtype);
        try
        {
            RequireVocabulary(model.VocabularySize, tokenizer, $"the model in '{folder}'");
            return new LanguageModel(model, tokenizer, folder);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Saves <c>config.json</c>, <c>model.safetensors</c> and <c>tokenizer.json</c>: what <see cref="Load"/> and Hugging Face transformers read.</summary>
    public void Save(string folder)
    {
        Model.Save(folder);
        Tokenizer.Save(folder);
        if (_folder is not null && File.Exists(Path.Combine(_folder, GenerationOptions.FileName)))
        {
            GenerationDefaults.Save(folder);
        }
    }

    /// <summary>Trains on a corpus and validates on its validation documents. Steps are made as they are asked for.</summary>
    /// <param name="corpus">The text.</param>
    /// <param name="options">How to train; a missing peak rate is measured on this machine, so that steps know their utilization.</param>
    /// <param name="cancellation">Ends the run at a step boundary.</param>
    public IEnumerable<TrainingStep> Train(Corpus corpus, TrainingOptions options, CancellationToken cancellation = default)
    {
        var splits = _tokenized.GetValue(corpus, Tokenize);
        return Run(splits.Train, options, splits.Validation, cancellation);
    }

    /// <summary>Trains on tokens.</summary>
    /// <param name="corpus">The tokens, of this model's tokenizer.</param>
    /// <param name="options">How to train; a missing peak rate is measured on this machine, so that steps know their utilization.</param>
    /// <param name="validation">Tokens to validate on.</param>
    /// <param name="cancellation">Ends the run at a step boundary.</param>
    public IEnumerable<TrainingStep> Train(
        TokenizedCorpus corpus, TrainingOptions options, TokenizedCorpus? validation = null, CancellationToken cancellation = default) =>
        Run(corpus, options, validation, cancellation);

    /// <summary>
    /// Continues a run that <see cref="Train(Corpus, TrainingOptions, CancellationToken)"/> saved in its checkpoint folder, exactly as if it had
    /// never stopped: this model takes the weights of the run.
    /// </summary>
    /// <param name="folder">The checkpoint folder.</param>
    /// <param name="corpus">The corpus that the run began with.</param>
    /// <param name="cancellation">Ends the run at a step boundary.</param>
    /// <example><code>using var model = LanguageModel.Load("run"); model.Resume("run", corpus).ShowLive();</code></example>
    /// <exception cref="ArgumentException">It is another corpus.</exception>
    public IEnumerable<TrainingStep> Resume(string folder, Corpus corpus, CancellationToken cancellation = default)
    {
        var splits = _tokenized.GetValue(corpus, Tokenize);
        return Steps(() => Trainer.Resume(folder, Model, splits.Train, splits.Validation), cancellation);
    }

    /// <summary>Continues a text. Tokens come as they are decoded.</summary>
    /// <param name="prompt">The text to continue; an empty one begins a new text.</param>
    /// <param name="options">What to generate.</param>
    /// <param name="cancellation">Ends the sequence before the next token.</param>
    public IEnumerable<GeneratedToken> Generate(string prompt, GenerationOptions options, CancellationToken cancellation = default) =>
        Generator.Generate(Model, Tokenizer, prompt, options, cancellation);

    /// <summary>Continues a text by at most <paramref name="tokens"/> tokens. Tokens come as they are decoded.</summary>
    /// <param name="prompt">The text to continue; an empty one begins a new text.</param>
    /// <param name="tokens">The most tokens; null: as in <see cref="GenerationDefaults"/>, like all that is not asked for here.</param>
    /// <param name="temperature">0 is greedy, 1 the model's own distribution.</param>
    /// <param name="seed">The same seed gives the same text.</param>
    public IEnumerable<GeneratedToken> Generate(string prompt, int? tokens = null, double? temperature = null, long seed = 0) => Generate(prompt, GenerationDefaults with
    {
        MaxTokens = tokens ?? GenerationDefaults.MaxTokens,
        Sampling = GenerationDefaults.Sampling with { Temperature = temperature ?? GenerationDefaults.Sampling.Temperature, Seed = seed },
    });

    /// <summary>How well the model predicts documents.</summary>
    public EvaluationResult Evaluate(IEnumerable<string> documents) => Evaluate(TokenizedCorpus.From(Tokenizer, documents));

    /// <summary>How well the model predicts tokens.</summary>
    public EvaluationResult Evaluate(TokenizedCorpus corpus) =>
        Perplexity.Evaluate(Model, corpus, Math.Min(256, Model.MaxPositions));

    /// <summary>How fast the model decodes on this machine, and how much of its bandwidth that uses.</summary>
    /// <param name="tokens">Tokens to decode.</param>
    /// <param name="promptTokens">Tokens of the prompt before them.</param>
    public DecodeMeasurement MeasureDecode(int tokens = 64, int promptTokens = 16) =>
        DecodeBenchmark.Measure(Model, promptTokens, tokens, MachineCeilings.Measure());

    /// <summary>Frees the weights.</summary>
    public void Dispose() => Model.Dispose();

    /// <summary>One line: shape and size.</summary>
    public override string ToString() => Model.ToString();

    private static void RequireVocabulary(int vocabulary, Tokenizer tokenizer, string what)
    {
        if (tokenizer.VocabularySize > vocabulary)
        {
            throw new ArgumentException($"The tokenizer has {tokenizer.VocabularySize} tokens, but {what} has a vocabulary of {vocabulary}.");
        }
    }

    private TokenizedSplits Tokenize(Corpus corpus) => new(
        TokenizedCorpus.From(Tokenizer, corpus.Train),
        corpus.Validation.Count > 0 ? TokenizedCorpus.From(Tokenizer, corpus.Validation) : null);

    private IEnumerable<TrainingStep> Run(TokenizedCorpus train, TrainingOptions options, TokenizedCorpus? validation, CancellationToken cancellation)
    {
        options.Validated();
        return Steps(
            () =>
            {
                if (options.CheckpointFolder is { } folder)
                {
                    // With the tokenizer beside it every checkpoint is a model that Load reads.
                    Tokenizer.Save(folder);
                }

                var peak = options.PeakFlopsPerSecond ?? MachineCeilings.Measure().MatMulFlopsPerSecond;
                return new Trainer(Model, train, options with { PeakFlopsPerSecond = peak }, validation);
            },
            cancellation);
    }

    private static IEnumerable<TrainingStep> Steps(Func<Trainer> start, CancellationToken cancellation)
    {
        using var trainer = start();
        foreach (var step in trainer.Run(cancellation))
        {
            yield return step;
        }
    }

    private sealed record TokenizedSplits(TokenizedCorpus Train, TokenizedCorpus? Validation);
}
