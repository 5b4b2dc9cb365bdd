using System.Text.Json.Nodes;
using Toolkit.Ops;

namespace Toolkit.Models;

/// <summary>A family of models: how its <c>config.json</c> maps to a <see cref="DecoderConfig"/>, and what its checkpoints call the parameters.</summary>
/// <param name="name">What <c>model_type</c> says.</param>
/// <param name="architecture">The class that transformers makes of it.</param>
internal abstract class DecoderFamily(string name, string architecture)
{
    // transformers' names of activations; several mean the same function.
    private static readonly Dictionary<string, Activation> Activations = new(StringComparer.Ordinal)
    {
        ["silu"] = Activation.Silu,
        ["swish"] = Activation.Silu,
        ["gelu"] = Activation.Gelu,
        ["gelu_python"] = Activation.Gelu,
        ["gelu_new"] = Activation.GeluTanh,
        ["gelu_fast"] = Activation.GeluTanh,
        ["gelu_pytorch_tanh"] = Activation.GeluTanh,
        ["gelu_python_tanh"] = Activation.GeluTanh,
        ["gelu_accurate"] = Activation.GeluTanh,
        ["quick_gelu"] = Activation.QuickGelu,
        ["relu"] = Activation.Relu,
        ["relu2"] = Activation.SquaredRelu,
    };

    public string Name => name;

    /// <summary>Reads the family's options; what the file leaves out has the value that transformers gives it.</summary>
    /// <exception cref="NotSupportedException">An option that changes the mathematics in a way the toolkit does not have.</exception>
    /// <exception cref="InvalidDataException">A field is of another type.</exception>
    public abstract DecoderConfig Read(ConfigReader file);

    /// <summary>The file of a configuration.</summary>
    /// <exception cref="NotSupportedException">The family's files have no field for an option that is set.</exception>
    public JsonObject Write(DecoderConfig config)
    {
        var json = new JsonObject { ["architectures"] = new JsonArray(architecture), ["model_type"] = name };
        Fill(json, config);
        var back = Read(new ConfigReader(json));
        return back == config
            ? json
            : throw new NotSupportedException($"a {name} file cannot hold this configuration: written and read again, it would be {back} instead of {config}");
    }

    /// <summary>What the checkpoints call the parts.</summary>
    public virtual DecoderNames Names(DecoderConfig config) => new();

    /// <summary>Adds the family's fields.</summary>
    protected abstract void Fill(JsonObject json, DecoderConfig config);

    /// <summary>The activation of that name.</summary>
    internal static Activation ReadActivation(ConfigReader file, string field, string fallback)
    {
        var text = file.Text(field, fallback);
        return Activations.TryGetValue(text, out var activation)
            ? activation
            : throw new NotSupportedException($"{field} '{text}' is not supported; known: {string.Join(", ", Activations.Keys)}");
    }

    /// <summary>Width of a head where heads divide the width.</summary>
    /// <exception cref="InvalidDataException">They do not.</exception>
    internal static int Split(int width, int heads) => heads > 0 && width % heads == 0
        ? width / heads
        : throw new InvalidDataException($"width {width} is not a multiple of heads {heads}");

    /// <summary>A multiple of the width.</summary>
    /// <exception cref="InvalidDataException">It is no number of 32 bits.</exception>
    protected static int WidthTimes(int width, int times) => (long)width * times is var product and <= int.MaxValue
        ? (int)product
        : throw new InvalidDataException($"width {width} is too large");

    /// <summary>Adds the ids that begin and end a text.</summary>
    protected static DecoderConfig ReadIds(DecoderConfig config, ConfigReader file, int? begin, int? end)
    {
        var (first, last) = (file.Ids("bos_token_id", begin), file.Ids("eos_token_id", end));
        return config with
        {
            BeginTokenId = first.Count > 0 ? first[0] : null,
            EndTokenId = last.Count > 0 ? last[0] : null,
            OtherEndTokenIds = last.Count > 1 ? new(last.Skip(1)) : null,
        };
    }

    /// <summary>Writes the ids that begin and end a text.</summary>
    protected static void WriteIds(JsonObject json, DecoderConfig config)
    {
        json["bos_token_id"] = config.BeginTokenId;
        json["eos_token_id"] = config.OtherEndTokenIds is { } others ? new JsonArray([config.EndTokenId, .. others.Select(id => (JsonNode)id)]) : config.EndTokenId;
    }

    /// <summary>transformers' first name of an activation.</summary>
    internal static string NameOf(Activation activation) => Activations.First(pair => pair.Value == activation).Key;
}
