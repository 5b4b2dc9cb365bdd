using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using Toolkit.Checkpoints;
using Toolkit.Data;
using Toolkit.Models;

namespace Toolkit.Training;

/// <summary>What a run is besides weights and moments: enough to continue it as if it had never stopped.</summary>
/// <param name="Version">Form of the file.</param>
/// <param name="Options">How it trains.</param>
/// <param name="Step">Steps done.</param>
/// <param name="Tokens">Tokens trained on.</param>
/// <param name="Position">Where the data goes on; with the seed in the options this is the whole state of the order of the data.</param>
/// <param name="CorpusTokens">Tokens of the corpus.</param>
/// <param name="CorpusSha256">Its fingerprint.</param>
/// <param name="LastLosses">Losses of the last few steps.</param>
internal sealed record TrainerState(
    int Version, TrainingOptions Options, int Step, long Tokens, StreamPosition Position, int CorpusTokens, string CorpusSha256, IReadOnlyList<double> LastLosses);

/// <summary>
/// The folder of a run. A save is complete in a folder beside it before the two change places, so at every moment one complete checkpoint is on
/// the disk; what an interruption leaves half done is put right by the next reader or writer.
/// </summary>
internal static partial class TrainingCheckpoint
{
    public const string StateFile = "trainer.json";
    public const string OptimizerFile = "optimizer.safetensors";
    private const int CurrentVersion = 1;

    private static readonly JsonSerializerOptions Format = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        Converters = { new JsonStringEnumConverter() },
    };

    public static TrainerState State(TrainingOptions options, int step, long tokens, StreamPosition position, TokenizedCorpus corpus, IEnumerable<double> lastLosses) =>
        new(CurrentVersion, options, step, tokens, position, corpus.Ids.Length, corpus.Fingerprint, [.. lastLosses]);

    public static void Save(string folder, CausalModel model, AdamW optimizer, TrainerState state)
    {
        var target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        var incoming = Incoming(target);
        Repair(target);
        if (Directory.Exists(incoming))
        {
            Directory.Delete(incoming, recursive: true);
        }

        Directory.CreateDirectory(incoming);
        model.Save(incoming);
        optimizer.Save(Path.Combine(incoming, OptimizerFile));
        using (var stream = new FileStream(Path.Combine(incoming, StateFile), FileMode.CreateNew))
        {
            JsonSerializer.Serialize(stream, state, Format);
            stream.Flush(flushToDisk: true);
        }

        if (Directory.Exists(target))
        {
            Directory.Move(target, Previous(target));
        }

        Directory.Move(incoming, target);
        Repair(target);
    }

    /// <exception cref="CheckpointException">There is no checkpoint, or its state is malformed.</exception>
    public static TrainerState Open(string folder)
    {
        Repair(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));
        var path = Path.Combine(folder, StateFile);
        try
        {
            var state = JsonSerializer.Deserialize<TrainerState>(File.ReadAllText(path), Format) ?? throw new JsonException("it is empty");
            return state.Version == CurrentVersion
                ? state
                : throw new CheckpointException($"{path} has version {state.Version}; this toolkit reads version {CurrentVersion}");
        }
        catch (Exception problem) when (problem is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new CheckpointException($"{folder} holds no run to resume: it has no {StateFile}", problem);
        }
        catch (JsonException problem)
        {
            throw new CheckpointException($"{path} is not the state of a run: {problem.Message}", problem);
        }
    }

    /// <exception cref="ArgumentException">It is another corpus than the one that the run began with.</exception>
    public static void RequireSameCorpus(TrainerState state, TokenizedCorpus corpus, string folder)
    {
        if (corpus.Ids.Length != state.CorpusTokens || corpus.Fingerprint != state.CorpusSha256)
        {
            throw new ArgumentException(
                $"{folder} was trained on another corpus: {state.CorpusTokens} tokens with SHA-256 {state.CorpusSha256}; "
                + $"this one has {corpus.Ids.Length} tokens with SHA-256 {corpus.Fingerprint}",
                nameof(corpus));
        }
    }

    private static string Incoming(string target) => target + ".toolkit-incoming";

    private static string Previous(string target) => target + ".toolkit-previous";

    /// <summary>Ends an exchange of folders wherever it was interrupted. Files that are not of a checkpoint (a tokenizer, notes) stay.</summary>
    private static void Repair(string target)
    {
        var previous = Previous(target);
        if (!Directory.Exists(previous))
        {
            return;
        }

        if (!Directory.Exists(target))
        {
            Directory.Move(previous, target);
            return;
        }

        foreach (var entry in Directory.GetFileSystemEntries(previous).Where(entry => !IsOfCheckpoint(Path.GetFileName(entry))))
        {
            var destination = Path.Combine(target, Path.GetFileName(entry));
            if (!Path.Exists(destination))
            {
                Directory.Move(entry, destination);
            }
        }

        Directory.Delete(previous, recursive: true);
    }

    private static bool IsOfCheckpoint(string name) => name is StateFile or OptimizerFile or DecoderConfig.FileName || WeightFiles().IsMatch(name);

    [GeneratedRegex(@"^model(-\d+-of-\d+)?\.safetensors(\.index\.json)?\z")]
    private static partial Regex WeightFiles();
}
