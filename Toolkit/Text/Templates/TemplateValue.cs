using System.Collections;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Toolkit.Text;

/// <summary>Values of a template: what they are, how they are written, what is inside of them.</summary>
internal static class TemplateValue
{
    /// <summary>The longest text that a template may make.</summary>
    public const long LongestText = 1 << 26;

    private const int DeepestValue = 100;

    /// <summary>A value of .NET or JSON as a template has it.</summary>
    /// <exception cref="ArgumentException">There is nothing like it in a template.</exception>
    public static object? From(object? value) => value switch
    {
        null or string or bool or long or double or TemplateFunction or TemplateUndefined or TemplateNamespace => value,
        int or short or byte or sbyte or ushort or uint => Convert.ToInt64(value, CultureInfo.InvariantCulture),
        float or decimal => Convert.ToDouble(value, CultureInfo.InvariantCulture),
        JsonNode node => From(JsonSerializer.SerializeToElement(node)),
        JsonDocument document => From(document.RootElement),
        JsonElement element => FromJson(element),
        IEnumerable<KeyValuePair<string, object?>> map => new OrderedDictionary<string, object?>(map.Select(item => KeyValuePair.Create(item.Key, From(item.Value)))),
        IDictionary map => new OrderedDictionary<string, object?>(map.Keys.Cast<object>().Select(key => KeyValuePair.Create(key.ToString()!, From(map[key])))),
        IEnumerable list => list.Cast<object?>().Select(From).ToList(),
        _ => throw new ArgumentException($"a value of type {value.GetType().Name} cannot be given to a chat template"),
    };

    /// <summary>Whether Python would take a value for true.</summary>
    public static bool IsTrue(object? value) => value switch
    {
        null or TemplateUndefined => false,
        bool flag => flag,
        long number => number != 0,
        double number => number != 0,
        string text => text.Length > 0,
        List<object?> list => list.Count > 0,
        OrderedDictionary<string, object?> map => map.Count > 0,
        _ => true,
    };

    /// <summary>What a value is, for messages.</summary>
    public static string Name(object? value) => value switch
    {
        null => "none",
        TemplateUndefined undefined => $"the undefined '{undefined.Name}'",
        bool => "a truth value",
        long or double => "a number",
        string => "a text",
        List<object?> => "a list",
        OrderedDictionary<string, object?> => "a map",
        TemplateNamespace => "a namespace",
        _ => "a function",
    };

    /// <summary>How a value is written.</summary>
    public static string Text(object? value) => value switch
    {
        string text => text,
        TemplateUndefined => "",
        _ => Represent(value, 0),
    };

    /// <summary>What a loop goes through: items of a list, keys of a map, characters of a text.</summary>
    public static IEnumerable<object?> Items(object? value) => value switch
    {
        List<object?> list => list,
        OrderedDictionary<string, object?> map => map.Keys,
        string text => text.EnumerateRunes().Select(rune => rune.ToString()),
        TemplateUndefined => [],
        _ => throw new TemplateException($"{Name(value)} has no items"),
    };

    /// <summary>Gives names to a value, or to each of its items.</summary>
    public static void Bind(TemplateScope scope, string[] names, object? value, int line)
    {
        if (names.Length == 1)
        {
            scope[names[0]] = value;
            return;
        }

        var items = Items(value).ToList();
        if (items.Count != names.Length)
        {
            throw new TemplateException($"line {line} of the chat template: {items.Count} items for {names.Length} names");
        }

        for (var i = 0; i < names.Length; i++)
        {
            scope[names[i]] = items[i];
        }
    }

    /// <summary><c>value.name</c>: a method of the value, or what it has under that name.</summary>
    public static object? Attribute(object? target, string name) =>
        target is TemplateUndefined undefined ? throw new TemplateException($"'{undefined.Name}' is undefined, so it has no '{name}'")
        : TemplateMethods.Of(target, name) ?? Item(target, name);

    /// <summary><c>value[key]</c>.</summary>
    public static object? Item(object? target, object? key)
    {
        switch (target, key)
        {
            case (TemplateUndefined undefined, _):
                throw new TemplateException($"'{undefined.Name}' is undefined, so it has no {Text(key)}");
            case (OrderedDictionary<string, object?> map, string name):
                return map.TryGetValue(name, out var value) ? value : (object?)TemplateMethods.Of(target, name) ?? TemplateUndefined.Of(name);
            case (TemplateNamespace fields, string name):
                return fields.Fields.TryGetValue(name, out var field) ? field : TemplateUndefined.Of(name);
            case (List<object?> list, long index):
                index = index < 0 ? index + list.Count : index;
                return index >= 0 && index < list.Count ? list[(int)index] : TemplateUndefined.Of($"item {key}");
            case (string text, long index):
                index = index < 0 ? index + text.Length : index;
                return index >= 0 && index < text.Length ? text[(int)index].ToString() : TemplateUndefined.Of($"character {key}");
            default:
                return TemplateUndefined.Of(Text(key));
        }
    }

    /// <summary>A floating-point number as Python writes it.</summary>
    public static string Number(double value) => double.IsFinite(value)
        ? value.ToString("R", CultureInfo.InvariantCulture) is var text && text.AsSpan().ContainsAny(".eE") ? text.Replace("E", "e", StringComparison.Ordinal) : text + ".0"
        : double.IsNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";

    private static string Represent(object? value, int depth) => depth > DeepestValue ? throw new TemplateException("a value is nested too deep") : value switch
    {
        null => "None",
        true => "True",
        false => "False",
        long number => number.ToString(CultureInfo.InvariantCulture),
        double number => Number(number),
        string text => Quote(text),
        List<object?> list => $"[{string.Join(", ", list.Select(item => Represent(item, depth + 1)))}]",
        OrderedDictionary<string, object?> map => $"{{{string.Join(", ", map.Select(item => $"{Quote(item.Key)}: {Represent(item.Value, depth + 1)}"))}}}",
        TemplateUndefined => "Undefined",
        TemplateNamespace => "<Namespace>",
        _ => "<function>",
    };

    private static string Quote(string text)
    {
        var quote = text.Contains('\'') && !text.Contains('"') ? '"' : '\'';
        var made = new StringBuilder().Append(quote);
        foreach (var character in text)
        {
            _ = character switch
            {
                '\\' => made.Append(@"\\"),
                '\n' => made.Append(@"\n"),
                '\r' => made.Append(@"\r"),
                '\t' => made.Append(@"\t"),
                _ when character == quote => made.Append('\\').Append(quote),
                _ => made.Append(character),
            };
        }

        return made.Append(quote).ToString();
    }

    private static object? FromJson(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => new OrderedDictionary<string, object?>(element.EnumerateObject().DistinctBy(field => field.Name).Select(field => KeyValuePair.Create(field.Name, FromJson(field.Value)))),
        JsonValueKind.Array => element.EnumerateArray().Select(FromJson).ToList(),
        JsonValueKind.String => element.GetString(),
        JsonValueKind.Number => element.TryGetInt64(out var whole) ? (object)whole : element.GetDouble(),
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => null,
    };
}
