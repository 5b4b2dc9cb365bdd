using System.Text.Json;
using System.Text.Json.Nodes;

namespace Toolkit.Decoding;

/// <summary>The file <c>generation_config.json</c> of a model folder: how its makers want it to generate.</summary>
internal sealed class GenerationFile
{
    public const string Name = "generation_config.json";

    private const long MostBytes = 1 << 20;

    // What transformers draws from where the file says nothing.
    private const int DefaultTopK = 50;
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Options that change what is generated, each with the value that changes nothing.</summary>
    private static readonly Dictionary<string, double> Without = new(StringComparer.Ordinal)
    {
        ["num_beams"] = 1,
        ["num_beam_groups"] = 1,
        ["num_return_sequences"] = 1,
        ["penalty_alpha"] = 0,
        ["typical_p"] = 1,
        ["top_h"] = 1,
        ["epsilon_cutoff"] = 0,
        ["eta_cutoff"] = 0,
        ["no_repeat_ngram_size"] = 0,
        ["encoder_no_repeat_ngram_size"] = 0,
        ["encoder_repetition_penalty"] = 1,
        ["diversity_penalty"] = 0,
        ["min_length"] = 0,
        ["min_new_tokens"] = 0,
        ["guidance_scale"] = 1,
    };

    /// <summary>Options that are read, and those that change nothing here: what only beams, caches, assistants or the form of transformers' results look at.</summary>
    private static readonly HashSet<string> Harmless = new(StringComparer.Ordinal)
    {
        "do_sample", "temperature", "top_k", "top_p", "min_p", "repetition_penalty", "max_new_tokens", "max_length", "stop_strings", "eos_token_id", "bos_token_id",
        "pad_token_id", "decoder_start_token_id", "early_stopping", "length_penalty", "low_memory", "use_cache", "cache_implementation", "cache_config",
        "return_legacy_cache", "prefill_chunk_size", "output_attentions", "output_hidden_states", "output_scores", "output_logits", "return_dict_in_generate",
        "is_assistant", "num_assistant_tokens", "num_assistant_tokens_schedule", "assistant_confidence_threshold", "assistant_early_exit",
        "assistant_lookbehind", "target_lookbehind", "prompt_lookup_num_tokens", "max_matching_ngram_size", "compile_config", "disable_compile",
        "transformers_version", "renormalize_logits", "generation_kwargs", "trust_remote_code",
    };

    private readonly string _path;
    private readonly string _content;
    private GenerationOptions? _options;

    private GenerationFile(string path, string content) => (_path, _content) = (path, content);

    /// <summary>What it says.</summary>
    /// <exception cref="InvalidDataException">The file is malformed.</exception>
    /// <exception cref="NotSupportedException">It asks for what is not there.</exception>
    public GenerationOptions Options => _options ??= Parse();

    /// <summary>The file of a folder, not yet understood; null where there is none.</summary>
    /// <exception cref="InvalidDataException">It is too large.</exception>
    public static GenerationFile? Find(string folder)
    {
        var path = Path.Combine(folder, Name);
        return !File.Exists(path) ? null
            : new FileInfo(path).Length <= MostBytes ? new(path, File.ReadAllText(path))
            : throw new InvalidDataException($"{path}: it is too large");
    }

    /// <summary>Writes it as it was into another folder.</summary>
    public void CopyTo(string folder) => File.WriteAllText(Path.Combine(folder, Name), _content);

    public static void Write(string folder, GenerationOptions options)
    {
        options.Validate();
        var (sampling, drawn) = (options.Sampling, !options.Sampling.IsGreedy);
        var json = new JsonObject
        {
            ["do_sample"] = drawn,
            ["max_new_tokens"] = options.MaxTokens,
            ["repetition_penalty"] = sampling.RepetitionPenalty,
        };
        if (drawn)
        {
            json["temperature"] = sampling.Temperature;
            json["top_k"] = sampling.TopK;
            json["top_p"] = sampling.TopP;
            json["min_p"] = sampling.MinP;
        }

        Set("max_length", options.MaxLength);
        Set("bos_token_id", options.BeginTokenId);
        Set("eos_token_id", options.EndTokenIds.Count switch { 0 => null, 1 => options.EndTokenIds[0], _ => new JsonArray([.. options.EndTokenIds.Select(id => (JsonNode)id)]) });
        Set("stop_strings", options.StopStrings.Count == 0 ? null : new JsonArray([.. options.StopStrings.Select(text => (JsonNode)text)]));
        File.WriteAllText(Path.Combine(folder, Name), json.ToJsonString(Indented));

        void Set(string name, JsonNode? value)
        {
            if (value is not null)
            {
                json[name] = value;
            }
        }
    }

    private GenerationOptions Parse()
    {
        try
        {
            var options = Read(JsonNode.Parse(_content) as JsonObject ?? throw new JsonException("it is no object"));
            options.Validate();
            return options;
        }
        catch (NotSupportedException problem)
        {
            throw new NotSupportedException($"{_path}: {problem.Message}", problem);
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException or FormatException or ArgumentException or OverflowException)
        {
            throw new InvalidDataException($"{_path}: {problem.Message}", problem);
        }
    }

    private static GenerationOptions Read(JsonObject json)
    {
        foreach (var (name, node) in json)
        {
            RequireKnown(json, name, node);
        }

        // Without do_sample transformers takes the most probable token, whatever temperature there is. The filters stay for who asks for a temperature.
        var drawn = json["do_sample"] is { } draw && draw.GetValue<bool>();
        var temperature = Number(json, "temperature") ?? 1;
        return new()
        {
            MaxTokens = Whole(json, "max_new_tokens") ?? new GenerationOptions().MaxTokens,
            MaxLength = json["max_new_tokens"] is null ? Whole(json, "max_length") : null,
            Sampling = new()
            {
                Temperature = drawn ? temperature : 0,
                TopK = Whole(json, "top_k") ?? (drawn ? DefaultTopK : 0),
                TopP = Number(json, "top_p") ?? 1,
                MinP = Number(json, "min_p") ?? 0,
                RepetitionPenalty = Number(json, "repetition_penalty") ?? 1,
            },
            BeginTokenId = Whole(json, "bos_token_id"),
            EndTokenIds = [.. List(json["eos_token_id"]).Select(id => id.GetValue<int>())],
            StopStrings = [.. List(json["stop_strings"]).Select(text => text.GetValue<string>())],
        };
    }

    /// <summary>Refuses what would change the result; a name with an underscore in front is a note of transformers' own.</summary>
    private static void RequireKnown(JsonObject json, string name, JsonNode? node)
    {
        var off = node is null || node.GetValueKind() == JsonValueKind.False || node is JsonArray { Count: 0 } or JsonObject { Count: 0 };
        if (!off && !name.StartsWith('_') && !Harmless.Contains(name) && !(Without.TryGetValue(name, out var neutral) && Number(json, name) == neutral))
        {
            var value = node!.ToJsonString();
            throw new NotSupportedException($"{Short(name)} {Short(value)} is not supported: generate with options of your own");
        }

        static string Short(string text) => text.Length <= 60 ? text : text[..60] + "...";
    }

    private static IEnumerable<JsonNode> List(JsonNode? node) => node switch
    {
        null => [],
        JsonArray items => items.Select(item => item ?? throw new JsonException("a list has a null")),
        _ => [node],
    };

    private static double? Number(JsonObject json, string name) =>
        json[name] is not { } node ? null : node.GetValueKind() == JsonValueKind.Number ? node.GetValue<double>() : throw new JsonException($"{name} is no number");

    private static int? Whole(JsonObject json, string name) =>
        Number(json, name) is not { } number ? null : number == Math.Floor(number) && Math.Abs(number) < int.MaxValue ? (int)number : throw new JsonException($"{name} is no whole number");
}
