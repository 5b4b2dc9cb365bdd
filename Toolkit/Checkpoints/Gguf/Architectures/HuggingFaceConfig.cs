using System.Text.Json.Nodes;

namespace Toolkit.Checkpoints;

/// <summary>A config.json as far as GGUF has a place for it.</summary>
internal sealed class HuggingFaceConfig(JsonObject json)
{
    /// <summary>What model_type says; empty if it says nothing.</summary>
    public string ModelType => json["model_type"] is JsonValue value && value.TryGetValue(out string? text) ? text : "";

    /// <summary>What says how positions are turned, in the new or the old spelling; null if nothing does.</summary>
    public HuggingFaceConfig? Rope => (json["rope_parameters"] ?? json["rope_scaling"]) is JsonObject rope ? new(rope) : null;

    /// <summary>A whole number under the first of these names that is there.</summary>
    /// <exception cref="NotSupportedException">It is missing, or no whole number of 32 bits.</exception>
    public uint Integer(params ReadOnlySpan<string> names) => OptionalInteger(names) ?? throw new NotSupportedException($"the configuration lacks {names[0]}");

    /// <inheritdoc cref="Integer"/>
    public uint? OptionalInteger(params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (json[name] is { } node)
            {
                // Some lists of ids stand where one is meant: the first counts.
                var first = node is JsonArray { Count: > 0 } list ? list[0] : node;
                return Number(first) is { } number && number >= 0 && number <= uint.MaxValue && number == Math.Floor(number)
                    ? (uint)number
                    : throw new NotSupportedException($"{name} {node.ToJsonString()} is not a whole number that GGUF can hold");
            }
        }

        return null;
    }

    /// <summary>A number under the first of these names that is there, or null.</summary>
    public double? OptionalNumber(params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (json[name] is { } node)
            {
                return Number(node) ?? throw new NotSupportedException($"{name} {node.ToJsonString()} is not a number");
            }
        }

        return null;
    }

    /// <summary>A text, or null.</summary>
    public string? Text(string name) => json[name] is JsonValue value && value.TryGetValue(out string? text) ? text : null;

    /// <summary>A yes or no, or the fallback.</summary>
    public bool Flag(string name, bool fallback) => json[name] is JsonValue value && value.TryGetValue(out bool flag) ? flag : fallback;

    /// <summary>Throws where an option has a value that GGUF has no place for.</summary>
    /// <exception cref="NotSupportedException">It has.</exception>
    public void Require(string name, bool holds)
    {
        if (!holds)
        {
            throw new NotSupportedException($"{name} {json[name]?.ToJsonString() ?? "null"} cannot be written as GGUF: llama.cpp would compute something else");
        }
    }

    // A node that was parsed and one that was made of a number answer to different types.
    private static double? Number(JsonNode? node) => node is JsonValue value && value.GetValueKind() == System.Text.Json.JsonValueKind.Number
        ? double.Parse(value.ToJsonString(), System.Globalization.CultureInfo.InvariantCulture)
        : null;
}
