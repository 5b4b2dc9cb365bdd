using System.Runtime.CompilerServices;
using Toolkit.Checkpoints;
using Toolkit.Data;
using Toolkit.Decoding;
using Toolkit.Display;
using Toolkit.Evaluation;
using Toolkit.Graphs;
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

    private readonly GenerationFile? _generation;
    private GenerationOptions? _ownDefaults;

    private LanguageModel(CausalModel model, Tokenizer tokenizer, GenerationFile? generation = null, CompiledDecoder? decoding = null) =>
        (Model, Tokenizer, _generation, Decoding) = (model, tokenizer, generation, decoding);

    /// <summary>The model; it lives as long as this object.</summary>
    public CausalModel Model { get; }

    /// <summary>The model as a decoder with attention.</summary>
    /// <exception cref="InvalidOperationException">It is one of another kind.</exception>
    public Decoder Decoder => Model as Decoder ?? throw new InvalidOperationException($"a {Model.ModelType} model is no decoder with attention: ask for Model");

    /// <summary>The tokenizer.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>
    /// How this model generates where nothing else is asked for: what <c>generation_config.json</c> in its folder said when it was loaded. What is set here
    /// instead is saved with the model.
    /// </summary>
    /// <exception cref="InvalidDataException">The file is malformed.</exception>
    /// <exception cref="NotSupportedException">The file asks for a way to generate that is not supported. Options of one's own, given or set here, do without it.</exception>
    public GenerationOptions GenerationDefaults
    {
        get => _ownDefaults ?? _generation?.Options ?? new();
        set
        {
            ArgumentNullException.ThrowIfNull(value);
            value.Validate();
            _ownDefaults = value;
        }
    }

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
    /// Loads a folder in Hugging Face layout: <c>config.json</c>, <c>model.safetensors</c> (or shards, or <c>pytorch_model.bin</c>) and <c>tokenizer.json</c>;
    /// one GGUF file, with the tokenizer in it; or a model by its name there, which is looked for in the cache that Hugging Face's tools share, and else
    /// downloaded: see <see cref="ModelCache"/>.
    /// </summary>
    /// <param name="folder">The folder, a file named *.gguf, or a name such as <c>org/name</c>.</param>
    /// <param name="dtype">Type of the weights in memory; default: float32.</param>
    /// <param name="revision">A branch, a tag or a commit of a model that is opened by its name.</param>
    /// <param name="cache">Where models are that are opened by name; null: where the environment says.</param>
    /// <param name="progress">Told how far a download is; null: a progress bar is shown.</param>
    /// <param name="cancellation">Ends a download; the next one takes up what is there.</param>
    /// <exception cref="ArgumentException">The tokenizer has more tokens than the model's vocabulary.</exception>
    /// <exception cref="CheckpointException">The weights do not fit, or the model is not there and cannot be downloaded.</exception>
    /// <exception cref="DirectoryNotFoundException">There is no such folder, and it is no model's name.</exception>
    /// <example><code>using var model = LanguageModel.Load("HuggingFaceTB/SmolLM2-135M-Instruct");</code></example>
    public static LanguageModel Load(
        string folder,
        torch.ScalarType? dtype = null,
        string revision = "main",
        ModelCache? cache = null,
        IProgress<DownloadProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        folder = Resolve(folder, revision, cache, progress, cancellation);
        RequireDecoder(folder);
        var tokenizer = LoadTokenizer(folder);
        var generation = GenerationFile.Find(folder);
        var model = CausalModel.Load(folder, dtype);
        try
        {
            RequireVocabulary(model.VocabularySize, tokenizer, $"the model in '{folder}'");
            return new LanguageModel(model, tokenizer, generation);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Saves <c>config.json</c>, <c>model.safetensors</c> and <c>tokenizer.json</c>: what <see cref="Load"/> and Hugging Face transformers read; and
    /// <c>generation_config.json</c> where the model came with one or <see cref="GenerationDefaults"/> were set.
    /// </summary>
    public void Save(string folder)
    {
        Model.Save(folder);
        Tokenizer.Save(folder);
        if (_ownDefaults is { } own)
        {
            own.Save(folder);
        }
        else
        {
            _generation?.CopyTo(folder);
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
    /// <param name="prompt">The text to continue, encoded as transformers does: see <see cref="Generator.Generate(CausalModel, Tokenizer, string, GenerationOptions, CancellationToken, CompiledDecoder?)"/>.</param>
    /// <param name="options">What to generate, in place of the <see cref="GenerationDefaults"/>.</param>
    /// <param name="cancellation">Ends the sequence before the next token.</param>
    public IEnumerable<GeneratedToken> Generate(string prompt, GenerationOptions options, CancellationToken cancellation = default) =>
        Generator.Generate(Model, Tokenizer, prompt, options, cancellation, Decoding);

    /// <summary>Continues a text by at most <paramref name="tokens"/> tokens. Tokens come as they are decoded.</summary>
    /// <param name="prompt">The text to continue; an empty one begins a new text.</param>
    /// <param name="tokens">The most tokens; null: as in <see cref="GenerationDefaults"/>, like all that is not asked for here.</param>
    /// <param name="temperature">0 is greedy, 1 the model's own distribution.</param>
    /// <param name="seed">The same seed gives the same text.</param>
    public IEnumerable<GeneratedToken> Generate(string prompt, int? tokens = null, double? temperature = null, long seed = 0) =>
        Generate(prompt, Asked(tokens, temperature, seed));

    /// <summary>Answers in a conversation, which the chat template that came with the tokenizer writes. Tokens come as they are decoded.</summary>
    /// <param name="messages">What was said so far.</param>
    /// <param name="options">What to generate; null: the <see cref="GenerationDefaults"/>.</param>
    /// <param name="cancellation">Ends the sequence before the next token.</param>
    /// <exception cref="InvalidOperationException">No template came with the tokenizer.</exception>
    /// <exception cref="TemplateException">The template is malformed or refuses the conversation.</exception>
    /// <example><code>model.Chat([new("system", "Answer in verse."), new("user", "What is attention?")]).Stream();</code></example>
    public IEnumerable<GeneratedToken> Chat(IEnumerable<ChatMessage> messages, GenerationOptions? options = null, CancellationToken cancellation = default)
    {
        // The template writes a beginning itself where the model wants one.
        var ids = Tokenizer.Encode(Tokenizer.ApplyChatTemplate(messages), parseSpecialTokens: true);
        return Generator.Generate(Model, Tokenizer, ids, options ?? GenerationDefaults, cancellation, Decoding);
    }

    /// <summary>Answers a single message.</summary>
    /// <param name="message">What the user says.</param>
    /// <param name="system">What the model is told about its part, if anything.</param>
    /// <param name="tokens">The most tokens; null: as in <see cref="GenerationDefaults"/>, like all that is not asked for here.</param>
    /// <param name="temperature">0 is greedy, 1 the model's own distribution.</param>
    /// <param name="seed">The same seed gives the same text.</param>
    /// <exception cref="InvalidOperationException">No template came with the tokenizer.</exception>
    public IEnumerable<GeneratedToken> Chat(string message, string? system = null, int? tokens = null, double? temperature = null, long seed = 0) =>
        Chat(system is null ? [new("user", message)] : [new("system", system), new("user", message)], Asked(tokens, temperature, seed));

    /// <summary>How well the model predicts documents.</summary>
    public EvaluationResult Evaluate(IEnumerable<string> documents) => Evaluate(TokenizedCorpus.From(Tokenizer, documents));

    /// <summary>How well the model predicts tokens.</summary>
    public EvaluationResult Evaluate(TokenizedCorpus corpus) =>
        Perplexity.Evaluate(Model, corpus, Math.Min(256, Model.MaxPositions));

    /// <summary>How fast the model decodes on this machine, and how much of its bandwidth that uses.</summary>
    /// <param name="tokens">Tokens to decode.</param>
    /// <param name="promptTokens">Tokens of the prompt before them.</param>
    public DecodeMeasurement MeasureDecode(int tokens = 64, int promptTokens = 16) =>
        DecodeBenchmark.Measure(Model, promptTokens, tokens, MachineCeilings.Measure(), Decoding);

    /// <summary>Frees the weights; what <see cref="Compile"/> made frees its graphs alone.</summary>
    public void Dispose()
    {
        if (Decoding is null)
        {
            Model.Dispose();
        }
        else
        {
            Decoding.Dispose();
        }
    }

    /// <summary>One line: shape and size.</summary>
    public override string ToString() => Decoding?.ToString() ?? Model.ToString();

    private static void RequireVocabulary(int vocabulary, Tokenizer tokenizer, string what)
    {
        if (tokenizer.VocabularySize > vocabulary)
        {
            throw new ArgumentException($"The tokenizer has {tokenizer.VocabularySize} tokens, but {what} has a vocabulary of {vocabulary}.");
        }
    }

    /// <summary>The folder or file of a model; what is downloaded on the way is shown.</summary>
    internal static string Resolve(string name, string revision, ModelCache? cache, IProgress<DownloadProgress>? progress, CancellationToken cancellation)
    {
        using var bar = progress is null ? new DownloadBar() : null;
        return (cache ?? ModelCache.FromEnvironment()).Resolve(name, revision, progress ?? bar, cancellation);
    }

    private static void RequireDecoder(string folder)
    {
        if (Directory.Exists(folder) && BertConfig.IsIn(folder))
        {
            throw new NotSupportedException($"{folder} holds an encoder, which continues no text: TextEncoder.Load opens it");
        }
    }

    // A file's max_length is what is meant where nothing else is: who asks for a number of tokens gets them.
    private GenerationOptions Asked(int? tokens, double? temperature, long seed) => GenerationDefaults with
    {
        MaxTokens = tokens ?? GenerationDefaults.MaxTokens,
        MaxLength = tokens is null ? GenerationDefaults.MaxLength : null,
        Sampling = GenerationDefaults.Sampling with { Temperature = temperature ?? GenerationDefaults.Sampling.Temperature, Seed = seed },
    };

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
