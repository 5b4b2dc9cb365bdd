using System.Text.Json;

namespace Toolkit.Checkpoints.Hub;

/// <summary>Which files of a model are needed to open it.</summary>
internal static class HubFiles
{
    /// <summary>The files to fetch: configuration, tokenizer and templates; weights as safetensors, or where there are none as PyTorch wrote them.</summary>
    /// <exception cref="CheckpointException">A name leads out of the folder.</exception>
    public static IReadOnlyList<string> Select(IReadOnlyList<string> files)
    {
        foreach (var file in files)
        {
            if (file.Length == 0 || Path.IsPathRooted(file) || file.Contains('\\') || file.Contains(':') || file.Split('/').Any(part => part is "" or "." or ".."))
            {
                throw new CheckpointException($"the server names a file '{file}', which leads out of the model's folder");
            }
        }

        var safe = files.Any(file => IsWeights(file) && file.EndsWith(".safetensors", StringComparison.Ordinal));
        return [.. files.Where(file => IsSmall(file) || (IsWeights(file) && file.EndsWith(".safetensors", StringComparison.Ordinal) == safe)).Order(StringComparer.Ordinal)];
    }

    /// <summary>Whether a file of that name, in the folder itself, holds weights that can be opened.</summary>
    public static bool IsWeights(string name) => !name.Contains('/')
        && ((name.StartsWith("model", StringComparison.Ordinal) && name.EndsWith(".safetensors", StringComparison.Ordinal))
            || (name.StartsWith("pytorch_model", StringComparison.Ordinal) && name.EndsWith(".bin", StringComparison.Ordinal)));

    /// <summary>Shards that the index of a snapshot lists and that are not there.</summary>
    public static IEnumerable<string> MissingShards(string snapshot)
    {
        var index = Path.Combine(snapshot, "model.safetensors.index.json");
        if (!File.Exists(index) || File.Exists(Path.Combine(snapshot, "model.safetensors")))
        {
            return [];
        }

        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(index));
            return [.. json.RootElement.GetProperty("weight_map").EnumerateObject().Select(entry => entry.Value.GetString() ?? "").Distinct().Where(file => !File.Exists(Path.Combine(snapshot, file)))];
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            return []; // opening it will say what is wrong
        }
    }

    private static bool IsSmall(string file)
    {
        var parts = file.Split('/');
        var inside = parts.Length == 1 || (parts.Length == 2 && parts[0] is "1_Pooling" or "2_Normalize" or "2_Dense");
        return inside && Path.GetExtension(file) is ".json" or ".model" or ".jinja" or ".tiktoken" || (parts.Length == 1 && file is "vocab.txt" or "merges.txt");
    }
}
