using System.Text.Json;
using System.Text.RegularExpressions;

namespace Toolkit.Checkpoints;

/// <summary>Which files of a model are needed to open it.</summary>
internal static partial class HubFiles
{
    private const string ConfigFile = "config.json";
    private const int MostNamed = 6;

    private static readonly HashSet<string> Small = new(StringComparer.Ordinal)
    {
        ConfigFile, "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "vocab.txt",
        "merges.txt", "chat_template.json", "chat_template.jinja", "modules.json", "sentence_bert_config.json", "1_Pooling/config.json",
    };

    /// <summary>The files to fetch: configuration, tokenizer and templates; weights as safetensors, or where there are none as PyTorch wrote them.</summary>
    /// <exception cref="CheckpointException">There is no configuration, or there are no weights that can be opened.</exception>
    public static IReadOnlyList<string> Select(string name, IReadOnlyList<string> files)
    {
        var weights = Weights(files);
        return files.Contains(ConfigFile) && weights.Count > 0
            ? [.. files.Where(file => Small.Contains(file) || VocabularyPattern().IsMatch(file)).Concat(weights).Distinct()]
            : throw new CheckpointException($"{name} has no {(weights.Count > 0 ? ConfigFile : "weights as safetensors or pytorch_model.bin")}; it has {Named(files)}");
    }

    /// <summary>Whether a folder has a configuration and all of its weights: another tool may have fetched no more than a part.</summary>
    public static bool HoldsModel(string folder)
    {
        var files = Directory.EnumerateFiles(folder).Where(File.Exists).Select(file => Path.GetFileName(file)).ToArray(); // a link may lead nowhere
        var weights = Weights(files);
        var index = weights.FirstOrDefault(file => file.EndsWith(".index.json", StringComparison.Ordinal));
        return files.Contains(ConfigFile) && weights.Count > 0 && (index is null || Shards(Path.Combine(folder, index)).All(files.Contains));
    }

    /// <summary>Whether a folder has a tokenizer.</summary>
    public static bool HoldsTokenizer(string folder) => Directory.EnumerateFiles(folder).Where(File.Exists).Select(file => Path.GetFileName(file))
        .Any(file => file is "tokenizer.json" or "vocab.json" or "vocab.txt" || VocabularyPattern().IsMatch(file));

    /// <summary>The first that there is, in the order in which a folder is opened; shards with their index.</summary>
    private static IReadOnlyList<string> Weights(IReadOnlyList<string> files)
    {
        IReadOnlyList<string>[] choices =
        [
            [.. files.Where(file => file == Checkpoint.SingleFile)],
            Sharded(Checkpoint.IndexFile, SafeShardPattern()),
            [.. files.Where(file => file == TorchFile.SingleFile)],
            Sharded(TorchFile.IndexFile, TorchShardPattern()),
        ];
        return choices.FirstOrDefault(choice => choice.Count > 0) ?? [];

        IReadOnlyList<string> Sharded(string index, Regex shard) => files.Contains(index) ? [index, .. files.Where(file => shard.IsMatch(file))] : [];
    }

    private static IEnumerable<string> Shards(string index)
    {
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(index));
            return [.. json.RootElement.GetProperty("weight_map").EnumerateObject().Select(entry => entry.Value.GetString() ?? "").Distinct()];
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            return []; // opening it will say what is wrong
        }
    }

    private static string Named(IReadOnlyList<string> files) => files.Count == 0 ? "no files"
        : string.Join(", ", files.Take(MostNamed).Select(CheckpointException.Shorten)) + (files.Count > MostNamed ? $" and {files.Count - MostNamed} more" : "");

    [GeneratedRegex(@"^[\w.-]+\.(model|tiktoken)\z", RegexOptions.ECMAScript)]
    private static partial Regex VocabularyPattern();

    [GeneratedRegex(@"^model-\d+-of-\d+\.safetensors\z", RegexOptions.ECMAScript)]
    private static partial Regex SafeShardPattern();

    [GeneratedRegex(@"^pytorch_model-\d+-of-\d+\.bin\z", RegexOptions.ECMAScript)]
    private static partial Regex TorchShardPattern();
}
