using System.Text.Json;

namespace Toolkit.Text;

/// <summary>Reads fields of a JSON object; what is missing or of another type is named by its path in the file.</summary>
/// <param name="Element">The object.</param>
/// <param name="Path">Where it is, such as <c>normalizer.normalizers[1]</c>.</param>
internal readonly record struct JsonFields(JsonElement Element, string Path)
{
    /// <summary>What kind of part this is.</summary>
    public string Type => Text("type");

    /// <summary>An object that must be there.</summary>
    public JsonFields Object(string name) => Optional(name) ?? throw Problem(name, "is missing");

    /// <summary>An object, or null where the field is missing or null.</summary>
    public JsonFields? Optional(string name) => Field(name) is not { } field ? null
        : field.ValueKind == JsonValueKind.Object ? new(field, At(name)) : throw Problem(name, "is not an object");

    /// <summary>The objects of an array that must be there.</summary>
    public IEnumerable<JsonFields> Objects(string name)
    {
        var path = At(name);
        return Items(name).Select((item, index) => item.ValueKind == JsonValueKind.Object
            ? new JsonFields(item, $"{path}[{index}]") : throw new InvalidDataException($"{path}[{index}] is not an object"));
    }

    /// <summary>The items of an array that must be there.</summary>
    public JsonElement.ArrayEnumerator Items(string name) => Field(name) is not { } field ? throw Problem(name, "is missing")
        : field.ValueKind == JsonValueKind.Array ? field.EnumerateArray() : throw Problem(name, "is not an array");

    /// <summary>A text that must be there.</summary>
    public string Text(string name) => Field(name) is null ? throw Problem(name, "is missing") : TextOr(name, "")!;

    /// <summary>A text, or another where the field is missing or null.</summary>
    public string? TextOr(string name, string? otherwise) => Field(name) is not { } field ? otherwise
        : field.ValueKind == JsonValueKind.String ? String(field) : throw Problem(name, "is not a text");

    /// <summary>True or false.</summary>
    public bool Flag(string name, bool otherwise) => Field(name) is not { } field ? otherwise : field.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Problem(name, "is neither true nor false"),
    };

    /// <summary>A whole number.</summary>
    public int Number(string name, int? otherwise = null) => Field(name) is not { } field ? otherwise ?? throw Problem(name, "is missing")
        : field.ValueKind == JsonValueKind.Number && field.TryGetInt32(out var number) ? number : throw Problem(name, "is not a whole number");

    /// <summary>The field, or null where it is missing or null.</summary>
    public JsonElement? Field(string name) => Element.TryGetProperty(name, out var field) && field.ValueKind != JsonValueKind.Null ? field : null;

    /// <summary>What to say of a field.</summary>
    public InvalidDataException Problem(string name, string what) => new($"{At(name)} {what}");

    /// <summary>The text of a JSON string; a lone surrogate in it is an error that says so.</summary>
    public static string String(JsonElement element)
    {
        try
        {
            return element.GetString() ?? "";
        }
        catch (InvalidOperationException problem)
        {
            throw new InvalidDataException("a text in the file is not valid Unicode", problem);
        }
    }

    /// <summary>The name of a field; a lone surrogate in it is an error that says so.</summary>
    public static string NameOf(JsonProperty field)
    {
        try
        {
            return field.Name;
        }
        catch (InvalidOperationException problem)
        {
            throw new InvalidDataException("a name in the file is not valid Unicode", problem);
        }
    }

    private string At(string name) => Path.Length == 0 ? name : $"{Path}.{name}";
}
