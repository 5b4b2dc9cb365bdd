using System.Text.Encodings.Web;
using System.Text.Json;

namespace Toolkit.Checkpoints;

/// <summary>model.safetensors.index.json: which tensor is in which shard.</summary>
internal static class CheckpointIndex
{
    private const int LongestIndex = 100_000_000;
    private static readonly JsonDocumentOptions Reading = new() { AllowDuplicateProperties = false };
    private static readonly JsonWriterOptions Writing = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Tensor name and shard file name, in the order of the file.</summary>
    public static List<(string Name, string Shard)> Read(string path)
    {
        try
        {
            if (new FileInfo(path) is { Length: > LongestIndex } file)
            {
                throw CheckpointException.In(path, $"an index of {file.Length} bytes is more than {LongestIndex}");
            }

            using var document = JsonDocument.Parse(File.ReadAllBytes(path), Reading);
            if (document.RootElement.ValueKind != JsonValueKind.Object
                || !document.RootElement.TryGetProperty("weight_map", out var weightMap)
                || weightMap.ValueKind != JsonValueKind.Object)
            {
                throw CheckpointException.In(path, "the index has no object weight_map");
            }

            return [.. weightMap.EnumerateObject().Select(item => (item.Name, ShardOf(path, item)))];
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw CheckpointException.In(path, $"the index is not valid JSON: {error.Message}", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw CheckpointException.In(path, $"it cannot be read: {FileProblem.Of(path, error)}", error);
        }
    }

    /// <summary>The path of a shard, which must lie under <paramref name="folder"/> (the files themselves may be links, as in download caches).</summary>
    public static string Resolve(string index, string folder, string tensor, string shard)
    {
        var root = Path.EndsInDirectorySeparator(folder) ? folder : folder + Path.DirectorySeparatorChar;
        if (shard.Length == 0 || shard.Contains('\0') || !Path.GetFullPath(Path.Combine(root, shard)).StartsWith(root, StringComparison.Ordinal))
        {
            throw CheckpointException.In(index, tensor, $"its shard \"{CheckpointException.Shorten(shard)}\" is not a file of this folder");
        }

        return Path.Combine(root, shard);
    }

    public static PendingFile Write(string path, IEnumerable<(string Name, string Shard)> weightMap, long totalBytes) =>
        PendingFile.Write(path, 0, stream =>
        {
            using var json = new Utf8JsonWriter(stream, Writing);
            json.WriteStartObject();
            json.WriteStartObject("metadata");
            json.WriteNumber("total_size", totalBytes);
            json.WriteEndObject();
            json.WriteStartObject("weight_map");
            foreach (var (name, shard) in weightMap)
            {
                json.WriteString(name, shard);
            }

            json.WriteEndObject();
            json.WriteEndObject();
        });

    private static string ShardOf(string path, JsonProperty item) =>
        item.Value.ValueKind == JsonValueKind.String
            ? item.Value.GetString()!
            : throw CheckpointException.In(path, item.Name, "the index does not name its shard with a string");
}
