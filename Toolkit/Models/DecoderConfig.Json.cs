using System.Text.Json;
using System.Text.Json.Nodes;
using Toolkit.Checkpoints;

namespace Toolkit.Models;

/// <content>The file of a configuration.</content>
public sealed partial record DecoderConfig
{
    /// <summary>Name of the file beside the weights.</summary>
    public const string FileName = "config.json";

    private const long MostBytes = 16 << 20;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Values of <c>model_type</c> that can be read.</summary>
    public static IReadOnlyList<string> KnownFamilies => DecoderFamilies.Names;

    /// <summary>Reads <c>config.json</c> from a folder, or what a GGUF file says instead of it.</summary>
    /// <param name="folder">A folder, or a file named *.gguf.</param>
    /// <exception cref="NotSupportedException">A family or an option that the toolkit does not have.</exception>
    /// <exception cref="InvalidDataException">The file is not a configuration.</exception>
    /// <exception cref="CheckpointException">The GGUF file is malformed.</exception>
    public static DecoderConfig Load(string folder)
    {
        if (GgufFile.IsNamed(folder))
        {
            using var gguf = GgufFile.Open(folder);
            return FromFile(folder, () => GgufModel.ReadConfig(gguf));
        }

        var path = Path.Combine(folder, FileName);
        if (new FileInfo(path) is { Exists: true, Length: > MostBytes } large)
        {
            throw new InvalidDataException($"{path}: {large.Length} bytes are more than a configuration has");
        }

        return FromFile(path, () => JsonNode.Parse(File.ReadAllText(path)) as JsonObject ?? throw new JsonException("not an object"));
    }

    /// <summary>Writes <c>config.json</c> into a folder.</summary>
    public void Save(string folder)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, FileName), ToJson().ToJsonString(Indented));
    }

    /// <summary>The configuration that <c>config.json</c> holds. What it leaves out has the value that Hugging Face's transformers gives it.</summary>
    /// <exception cref="NotSupportedException">A family or an option that the toolkit does not have.</exception>
    /// <exception cref="InvalidDataException">A field is of another type, or the numbers do not fit together.</exception>
    public static DecoderConfig FromJson(JsonObject json)
    {
        try
        {
            var file = new ConfigReader(json);
            var family = DecoderFamilies.Of(file.OptionalText("model_type"));
            if (file.OptionalObject("quantization_config") is { } quantized)
            {
                throw new NotSupportedException($"quantization_config ({quantized.Text("quant_method", "of no named method")}) is not supported: the weights are not plain numbers");
            }

            return family.Read(file).Validated();
        }
        catch (Exception problem) when (problem is ArgumentException or InvalidOperationException)
        {
            // Numbers that do not fit together; and what .NET says of a key that is there twice and of half a surrogate pair.
            throw new InvalidDataException(problem.Message, problem);
        }
    }

    /// <summary>What <c>config.json</c> holds.</summary>
    /// <exception cref="NotSupportedException">The family's files have no field for an option that is set.</exception>
    public JsonObject ToJson() => DecoderFamilies.Of(ModelType).Write(this);

    private static DecoderConfig FromFile(string path, Func<JsonObject> read)
    {
        try
        {
            return FromJson(read());
        }
        catch (NotSupportedException problem) when (!problem.Message.StartsWith(path, StringComparison.Ordinal))
        {
            throw new NotSupportedException($"{path}: {problem.Message}", problem);
        }
        catch (Exception problem) when (problem is JsonException or InvalidDataException)
        {
            throw new InvalidDataException($"{path}: {problem.Message}", problem);
        }
    }
}
