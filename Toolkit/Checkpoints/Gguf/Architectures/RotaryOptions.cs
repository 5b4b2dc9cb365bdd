using System.Text.Json.Nodes;
using static TorchSharp.torch;

namespace Toolkit.Checkpoints;

/// <summary>How positions are turned: Hugging Face's rope_parameters, and llama.cpp's rope.* with the tensor rope_freqs.weight.</summary>
internal static class RotaryOptions
{
    public const string FrequencyTensor = "rope_freqs.weight";

    // Those of all Llama 3 models; the tensor does not tell them apart by itself, so what it holds is compared with what they give.
    private const double LowFrequencyFactor = 1;
    private const double HighFrequencyFactor = 4;
    private const long OriginalPositions = 8192;

    /// <summary>rope_parameters of a file.</summary>
    /// <param name="file">The file.</param>
    /// <param name="prefix">The architecture's name.</param>
    /// <param name="theta">Base of the frequencies.</param>
    /// <param name="dimension">Dimensions of a head that turn.</param>
    /// <exception cref="NotSupportedException">A scaling that has no counterpart.</exception>
    public static JsonObject Read(GgufFile file, string prefix, double theta, long dimension)
    {
        var (type, factor) = (file.Metadata.Text($"{prefix}.rope.scaling.type"), file.Metadata.Number($"{prefix}.rope.scaling.factor"));
        var rope = new JsonObject { ["rope_theta"] = theta, ["rope_type"] = "default" };
        if (file.Tensors.ContainsKey(FrequencyTensor))
        {
            ReadLlama3(file, rope, theta, dimension);
        }
        else if (type is "linear" or "yarn" && factor is { } by && by != 1)
        {
            rope["rope_type"] = type;
            rope["factor"] = by;
            if (type == "yarn")
            {
                rope["original_max_position_embeddings"] = file.Metadata.Integer($"{prefix}.rope.scaling.original_context_length");
            }
        }
        else if (type is not (null or "none" or "linear" or "yarn"))
        {
            throw new NotSupportedException($"{file.Path}: the metadata \"{prefix}.rope.scaling.type\" is \"{CheckpointException.Shorten(type)}\"; known: none, linear, yarn");
        }

        return rope;
    }

    /// <summary>Metadata of a config.</summary>
    /// <exception cref="NotSupportedException">A scaling that GGUF has no place for.</exception>
    public static IEnumerable<KeyValuePair<string, object>> Write(HuggingFaceConfig config, string prefix)
    {
        var rope = config.Rope;
        yield return KeyValuePair.Create($"{prefix}.rope.freq_base", (object)(float)Theta(config));
        var type = Type(config);
        rope?.Require("partial_rotary_factor", rope.OptionalNumber("partial_rotary_factor") is null or 1);
        if (type is "linear" or "yarn")
        {
            RequireUsual(rope!);
            yield return KeyValuePair.Create($"{prefix}.rope.scaling.type", (object)type);
            yield return KeyValuePair.Create($"{prefix}.rope.scaling.factor", (object)(float)(rope!.OptionalNumber("factor") ?? 1));
            if (type == "yarn")
            {
                var original = rope.OptionalInteger("original_max_position_embeddings") ?? config.Integer("max_position_embeddings");
                yield return KeyValuePair.Create($"{prefix}.rope.scaling.original_context_length", (object)original);
            }
        }
        else if (type is not ("default" or "llama3"))
        {
            throw new NotSupportedException($"rope_type \"{type}\" cannot be written as GGUF; known: default, linear, yarn, llama3");
        }
    }

    /// <summary>What frequencies are divided by, where the config asks for llama3's scaling; else nothing.</summary>
    public static IEnumerable<KeyValuePair<string, Tensor>> Frequencies(HuggingFaceConfig config, long dimension)
    {
        if (Type(config) == "llama3")
        {
            var rope = config.Rope!;
            var factors = Llama3(
                Theta(config), dimension, rope.OptionalNumber("factor") ?? 8, rope.OptionalNumber("low_freq_factor") ?? LowFrequencyFactor,
                rope.OptionalNumber("high_freq_factor") ?? HighFrequencyFactor, rope.OptionalInteger("original_max_position_embeddings") ?? OriginalPositions);
            yield return KeyValuePair.Create(FrequencyTensor, tensor(factors));
        }
    }

    /// <summary>YaRN as its paper has it is what llama.cpp computes (Peng et al., 2023).</summary>
    private static void RequireUsual(HuggingFaceConfig rope)
    {
        var usual = (0.1 * Math.Log(rope.OptionalNumber("factor") ?? 1)) + 1;
        rope.Require("attention_factor", rope.OptionalNumber("attention_factor") is not { } scale || Math.Abs(scale - usual) < 1e-6);
        rope.Require("beta_fast", rope.OptionalNumber("beta_fast") is null or 32);
        rope.Require("beta_slow", rope.OptionalNumber("beta_slow") is null or 1);
        rope.Require("mscale", rope.OptionalNumber("mscale") is null);
        rope.Require("mscale_all_dim", rope.OptionalNumber("mscale_all_dim") is null);
        rope.Require("truncate", rope.Flag("truncate", true));
    }

    private static double Theta(HuggingFaceConfig config) => config.Rope?.OptionalNumber("rope_theta") ?? config.OptionalNumber("rope_theta") ?? 10000;

    private static string Type(HuggingFaceConfig config) => config.Rope?.Text("rope_type") ?? config.Rope?.Text("type") ?? "default";

    private static void ReadLlama3(GgufFile file, JsonObject rope, double theta, long dimension)
    {
        using var scope = NewDisposeScope();
        var stored = file.Load(FrequencyTensor).to_type(ScalarType.Float32).data<float>().ToArray();
        var factor = stored.Length == 0 ? 1 : stored.Max();
        var expected = Llama3(theta, dimension, factor, LowFrequencyFactor, HighFrequencyFactor, OriginalPositions);
        if (stored.Length != expected.Length || stored.Zip(expected).Any(pair => !(Math.Abs(pair.First - pair.Second) <= 1e-3 * pair.Second)))
        {
            throw new NotSupportedException($"{file.Path}: tensor \"{FrequencyTensor}\" does not hold the scaling of Llama 3 (low_freq_factor 1, high_freq_factor 4, 8192 positions), the only one that is known");
        }

        rope["rope_type"] = "llama3";
        rope["factor"] = (double)factor;
        rope["low_freq_factor"] = LowFrequencyFactor;
        rope["high_freq_factor"] = HighFrequencyFactor;
        rope["original_max_position_embeddings"] = OriginalPositions;
    }

    /// <summary>Llama 3.1's scaling: long waves turn slower by the factor, short ones as before, and those between gradually.</summary>
    private static float[] Llama3(double theta, long dimension, double factor, double low, double high, long positions)
    {
        var factors = new float[dimension / 2];
        for (var i = 0; i < factors.Length; i++)
        {
            var length = 2 * Math.PI * Math.Pow(theta, 2.0 * i / dimension);
            var smooth = ((positions / length) - low) / (high - low);
            factors[i] = (float)(length < positions / high ? 1 : length > positions / low ? factor : 1 / (((1 - smooth) / factor) + smooth));
        }

        return factors;
    }
}
