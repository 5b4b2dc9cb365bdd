using System.Text.Json;
using System.Text.Json.Nodes;

namespace Toolkit.Decoding;

/// <summary>The file <c>generation_config.json</c> of a model folder: how its makers want it to generate.</summary>
internal static class GenerationFile
{
    public const string Name = "generation_config.json";

    private const long MostBytes = 1 << 20;

    // What transformers draws from where the file says nothing.
    private const int DefaultTopK = 50;

    /// <summary>Options that change what is generated, each with the values that change nothing.</summary>
    private static readonly Dictionary<string, double[]> Without = new(StringComparer.Ordinal)
    {
        ["num_beams"] = [1],
        ["num_beam_groups"] = [1],
        ["penalty_alpha"] = [0],
        ["typical_p"] = [1],
        ["epsilon_cutoff"] = [0],
        ["eta_cutoff"] = [0],
        ["no_repeat_ngram_size"] = [0],
        ["encoder_repetition_penalty"] = [1],
        ["diversity_penalty"] = [0],
        ["min_length"] = [0],
        ["min_new_tokens"] = [0],
        ["guidance_scale"] = [1],
    };

    private static readonly string[] NotSupported = ["bad_words_ids", "force_words_ids", "suppress_tokens", "begin_suppress_tokens", "sequence_bias", "forced_bos_token_id", "forced_eos_token_id", "exponential_decay_length_penalty"];

    /// <exception cref="InvalidDataException">The file is malformed.</exception>
    /// <exception cref="NotSupportedException">It asks for what is not there.</exception>
    public static GenerationOptions Read(string folder)
    {
        var path = Path.Combine(folder, Name);
        if (!File.Exists(path))
        {
            return new();
        }

        try
        {
            if (new FileInfo(path).Length > MostBytes)
            {
                throw new JsonException("it is too large");
            }

            var options = Read(JsonNode.Parse(File.ReadAllText(path)) as JsonObject ?? throw new JsonException("it is no object"));
            options.Validate();
            return options;
        }
        catch (NotSupportedException problem)
        {
            throw new NotSupportedException($"{path}: {problem.Message}", problem);
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException or FormatException or ArgumentException or OverflowException)
        {
            throw new InvalidDataException($"{path}: {problem.Message}", problem);
        }
    }

    public static void Write(string folder, GenerationOptions options)
    {
        var (sampling, drawn) = (options.Sampling, !options.Sampling.IsGreedy);
        var json = new JsonObject
        {
            ["do_sample"] = drawn,
            ["max_new_tokens"] = options.MaxTokens,
            ["eos_token_id"] = options.EndTokenIds.Count switch { 0 => null, 1 => options.EndTokenIds[0], _ => new JsonArray([.. options.EndTokenIds.Select(id => (JsonNode)id)]) },
            ["repetition_penalty"] = sampling.RepetitionPenalty,
        };
        if (drawn)
        {
            json["temperature"] = sampling.Temperature;
            json["top_k"] = sampling.TopK;
            json["top_p"] = sampling.TopP;
            json["min_p"] = sampling.MinP;
        }

        File.WriteAllText(Path.Combine(folder, Name), json.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
    }

    private static GenerationOptions Read(JsonObject json)
    {
        foreach (var (name, node) in json)
        {
            if (node is not null && (NotSupported.Contains(name) || (Without.TryGetValue(name, out var neutral) && !neutral.Contains(Number(name) ?? neutral[0]))))
            {
                throw new NotSupportedException($"{name} {node.ToJsonString()} is not supported: generate with options of your own");
            }
        }

        // Without do_sample transformers takes the most probable token, whatever temperature there is.
        var drawn = json["do_sample"]?.GetValue<bool>() ?? false;
        var sampling = drawn
            ? new SamplingOptions { Temperature = Number("temperature") ?? 1, TopK = Whole("top_k") ?? DefaultTopK, TopP = Number("top_p") ?? 1, MinP = Number("min_p") ?? 0 }
            : SamplingOptions.Greedy;
        return new()
        {
            MaxTokens = Whole("max_new_tokens") ?? new GenerationOptions().MaxTokens,
            Sampling = sampling with { RepetitionPenalty = Number("repetition_penalty") ?? 1 },
            EndTokenIds = json["eos_token_id"] switch
            {
                null => [],
                JsonArray list => [.. list.Select(id => id!.GetValue<int>())],
                var id => [id.GetValue<int>()],
            },
        };

        double? Number(string name) => json[name] is JsonValue value && value.GetValueKind() == JsonValueKind.Number ? value.GetValue<double>() : json[name] is null ? null : throw new JsonException($"{name} is no number");

        int? Whole(string name) => Number(name) is { } number ? number == Math.Floor(number) && Math.Abs(number) < int.MaxValue ? (int)number : throw new JsonException($"{name} is no whole number") : null;
    }
}
