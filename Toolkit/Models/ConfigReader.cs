using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Toolkit.Models;

/// <summary>Fields of a <c>config.json</c>. A field that is null counts as absent, as in most of transformers' classes.</summary>
internal sealed class ConfigReader(JsonObject json)
{
    /// <summary>The first of these fields that is there, as a whole number.</summary>
    /// <exception cref="InvalidDataException">It is no whole number of 32 bits.</exception>
    public int? OptionalInt(params ReadOnlySpan<string> names)
    {
        if (Find(names) is not (var name, { } node))
        {
            return null;
        }

        return ToNumber(node) is { } number && number == Math.Floor(number) && Math.Abs(number) <= int.MaxValue
            ? (int)number
            : throw Wrong(name, node, "a whole number");
    }

    /// <summary>The first of these fields that is there, or else the fallback.</summary>
    public int Int(int fallback, params ReadOnlySpan<string> names) => OptionalInt(names) ?? fallback;

    /// <summary>A number.</summary>
    /// <exception cref="InvalidDataException">It is none.</exception>
    public double? OptionalNumber(string name)
    {
        if (Find(name) is not (_, { } node))
        {
            return null;
        }

        return ToNumber(node) ?? throw Wrong(name, node, "a number");
    }

    /// <summary>A number, or else the fallback.</summary>
    public double Number(string name, double fallback) => OptionalNumber(name) ?? fallback;

    /// <summary>True or false.</summary>
    /// <exception cref="InvalidDataException">It is neither.</exception>
    public bool? OptionalFlag(string name) => Find(name) is (_, { } node)
        ? node.GetValueKind() switch { JsonValueKind.True => true, JsonValueKind.False => false, _ => throw Wrong(name, node, "true or false") }
        : null;

    /// <summary>True or false, or else the fallback.</summary>
    public bool Flag(string name, bool fallback) => OptionalFlag(name) ?? fallback;

    /// <summary>A text.</summary>
    /// <exception cref="InvalidDataException">It is none.</exception>
    public string? OptionalText(string name) => Find(name) is (_, { } node)
        ? node.GetValueKind() == JsonValueKind.String ? node.GetValue<string>() : throw Wrong(name, node, "a text")
        : null;

    /// <summary>A text, or else the fallback.</summary>
    public string Text(string name, string fallback) => OptionalText(name) ?? fallback;

    /// <summary>An object inside this one.</summary>
    /// <exception cref="InvalidDataException">It is none.</exception>
    public ConfigReader? OptionalObject(string name) => Find(name) is (_, { } node)
        ? new ConfigReader(node as JsonObject ?? throw Wrong(name, node, "an object"))
        : null;

    /// <summary>Numbers.</summary>
    /// <exception cref="InvalidDataException">They are none.</exception>
    public IReadOnlyList<double>? OptionalNumbers(string name) => Items(name)?.Select(item => ToNumber(item) ?? throw Wrong(name, item, "a list of numbers")).ToArray();

    /// <summary>Texts.</summary>
    /// <exception cref="InvalidDataException">They are none.</exception>
    public IReadOnlyList<string>? OptionalTexts(string name) => Items(name)?.Select(item =>
        item?.GetValueKind() == JsonValueKind.String ? item.GetValue<string>() : throw Wrong(name, item, "a list of texts")).ToArray();

    /// <summary>Whether the field is this text.</summary>
    public bool IsText(string name, string text) => Find(name) is (_, { } node) && node.GetValueKind() == JsonValueKind.String && node.GetValue<string>() == text;

    /// <summary>Two numbers, either of which may be infinite: as a text, or as transformers writes it, in an object.</summary>
    /// <exception cref="InvalidDataException">They are none.</exception>
    public (double Least, double Most)? Limits(string name)
    {
        if (Items(name)?.ToArray() is not { } items)
        {
            return null;
        }

        var numbers = items.Select(item => item is JsonObject wrapped ? wrapped["__float__"] : item)
            .Select(item => item?.GetValueKind() == JsonValueKind.String && item.GetValue<string>() is "Infinity" ? double.PositiveInfinity : ToNumber(item)).ToArray();
        return numbers is [{ } least, { } most] && most >= least ? (least, most) : throw Wrong(name, new JsonArray([.. items.Select(item => item?.DeepClone())]), "two limits");
    }

    /// <summary>Token ids, be they a number, a list or null; where the field is absent the fallback.</summary>
    /// <exception cref="InvalidDataException">They are no whole numbers.</exception>
    public IReadOnlyList<int> Ids(string name, int? fallback)
    {
        if (!json.TryGetPropertyValue(name, out var node))
        {
            return fallback is { } id ? [id] : [];
        }

        return node switch
        {
            null => [],
            JsonArray list => [.. list.Select(item => new ConfigReader(new JsonObject { [name] = item?.DeepClone() }).OptionalInt(name) ?? throw Wrong(name, node, "ids"))],
            _ => [OptionalInt(name)!.Value],
        };
    }

    /// <summary>Whether the field is there, be it null.</summary>
    public bool Has(string name) => json.ContainsKey(name);

    /// <summary>Throws where a flag that the toolkit has no mathematics for is set the other way.</summary>
    /// <exception cref="NotSupportedException">It is.</exception>
    public void Require(string name, bool value)
    {
        if (Flag(name, value) != value)
        {
            throw new NotSupportedException($"{name} {(value ? "false" : "true")} is not supported");
        }
    }

    // A node made in memory gives only the number type that it was made of; its text gives any.
    private static double? ToNumber(JsonNode? node) =>
        node?.GetValueKind() == JsonValueKind.Number && double.TryParse(node.ToJsonString(), CultureInfo.InvariantCulture, out var value) && double.IsFinite(value) ? value : null;

    private static InvalidDataException Wrong(string name, JsonNode? node, string expected)
    {
        var text = node?.ToJsonString() ?? "null";
        return new($"{name} is {(text.Length > 60 ? $"{text[..60]}..." : text)}, expected {expected}");
    }

    private IEnumerable<JsonNode?>? Items(string name) => Find(name) is (_, { } node) ? node as JsonArray ?? throw Wrong(name, node, "a list") : null;

    private (string Name, JsonNode? Node) Find(params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (json.TryGetPropertyValue(name, out var node) && node is not null)
            {
                return (name, node);
            }
        }

        return (names[0], null);
    }
}
