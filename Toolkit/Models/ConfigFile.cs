using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Toolkit.Models;

/// <summary>The file <c>config.json</c> of a model folder.</summary>
public static class ConfigFile
{
    internal const string Name = "config.json";

    private const long MostBytes = 16 << 20;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>What the file of a folder says.</summary>
    /// <exception cref="FileNotFoundException">The folder has none.</exception>
    /// <exception cref="NotSupportedException">An option that the toolkit does not have.</exception>
    /// <exception cref="InvalidDataException">The file is no configuration.</exception>
    internal static T Read<T>(string folder, Func<ConfigReader, T> read)
    {
        var path = Path.Combine(folder, Name);
        var file = new ConfigReader(ReadJson(folder));
        try
        {
            if (file.OptionalObject("quantization_config") is { } quantized)
            {
                throw new NotSupportedException($"quantization_config ({quantized.Text("quant_method", "of no named method")}) is not supported: the weights are not plain numbers");
            }

            return read(file);
        }
        catch (NotSupportedException problem)
        {
            throw new NotSupportedException($"{path}: {problem.Message}", problem);
        }
        catch (Exception problem) when (problem is JsonException or InvalidDataException or ArgumentException or InvalidOperationException)
        {
            throw new InvalidDataException($"{path}: {problem.Message}", problem);
        }
    }

    /// <summary>All that the file of a folder says; numbers that JSON does not have are texts.</summary>
    /// <exception cref="FileNotFoundException">The folder has none.</exception>
    /// <exception cref="InvalidDataException">The file is no JSON object.</exception>
    public static JsonObject ReadJson(string folder)
    {
        var path = Path.Combine(folder, Name);
        if (new FileInfo(path) is { Exists: true, Length: > MostBytes } large)
        {
            throw new InvalidDataException($"{path}: {large.Length} bytes are more than a configuration has");
        }

        var text = File.ReadAllText(path);
        try
        {
            return JsonNode.Parse(QuoteNumbersThatAreNone(text)) as JsonObject ?? throw new JsonException("not an object");
        }
        catch (JsonException problem)
        {
            throw new InvalidDataException($"{path}: {problem.Message}", problem);
        }
    }

    /// <summary>Writes the file of a folder, which is made if need be.</summary>
    internal static void Write(string folder, JsonObject json)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, Name), json.ToJsonString(Indented));
    }

    /// <summary>
    /// Python writes <c>Infinity</c>, <c>-Infinity</c> and <c>NaN</c> as bare words, which are no JSON (Mamba-2's <c>time_step_limit</c> has one): outside of
    /// texts they become texts.
    /// </summary>
    private static string QuoteNumbersThatAreNone(string text)
    {
        var result = new StringBuilder(text.Length + 16);
        var inText = false;
        for (var i = 0; i < text.Length; i++)
        {
            var word = inText ? null : Array.Find(["-Infinity", "Infinity", "NaN"], w => string.CompareOrdinal(text, i, w, 0, w.Length) == 0);
            if (word is not null)
            {
                result.Append('"').Append(word).Append('"');
                i += word.Length - 1;
                continue;
            }

            result.Append(text[i]);
            if (inText && text[i] == '\\' && i + 1 < text.Length)
            {
                result.Append(text[++i]);
            }
            else if (text[i] == '"')
            {
                inText = !inText;
            }
        }

        return result.ToString();
    }
}
