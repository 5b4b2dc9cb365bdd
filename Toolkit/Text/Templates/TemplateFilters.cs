using System.Globalization;
using System.Text;

namespace Toolkit.Text;

/// <summary>The filters behind <c>|</c>.</summary>
internal static class TemplateFilters
{
    public static object? Apply(string name, object? value, TemplateCall call, TemplateScope scope) => name switch
    {
        "default" or "d" => value is TemplateUndefined || (TemplateValue.IsTrue(call.Get(1, "boolean", false)) && !TemplateValue.IsTrue(value)) ? call.Get(0, "default_value", "") : value,
        "tojson" => ToJson(value, call),
        "string" => TemplateValue.Text(value),
        "safe" => value,
        "trim" => call.Get(0, "chars") is string characters ? TemplateValue.Text(value).Trim(characters.ToCharArray()) : TemplateValue.Text(value).Trim(),
        "upper" => TemplateValue.Text(value).ToUpperInvariant(),
        "lower" => TemplateValue.Text(value).ToLowerInvariant(),
        "title" => Title(TemplateValue.Text(value)),
        "capitalize" => Capitalize(TemplateValue.Text(value)),
        "replace" => Replace(TemplateValue.Text(value), call),
        "indent" => Indent(TemplateValue.Text(value), call),
        "escape" or "e" => System.Net.WebUtility.HtmlEncode(TemplateValue.Text(value)),
        "length" or "count" => value is string text ? (long)text.Length : (long)TemplateValue.Items(value).Count(),
        "first" => TemplateValue.Items(value).FirstOrDefault(TemplateUndefined.Of("the first of nothing")),
        "last" => TemplateValue.Items(value).LastOrDefault(TemplateUndefined.Of("the last of nothing")),
        "list" => TemplateValue.Items(value).ToList(),
        "items" => value is OrderedDictionary<string, object?> map ? map.Select(item => (object?)new List<object?> { item.Key, item.Value }).ToList() : TemplateValue.Items(value).ToList(),
        "dictsort" => value is OrderedDictionary<string, object?> map
            ? map.OrderBy(item => item.Key.ToLowerInvariant(), StringComparer.Ordinal).Select(item => (object?)new List<object?> { item.Key, item.Value }).ToList()
            : throw new TemplateException($"{TemplateValue.Name(value)} is no map"),
        "join" => string.Join(TemplateValue.Text(call.Get(0, "d", "")), TemplateValue.Items(value).Select(item => TemplateValue.Text(Field(item, call.Get(1, "attribute"))))),
        "reverse" => value is string backwards ? string.Concat(backwards.Reverse()) : TemplateValue.Items(value).Reverse().ToList(),
        "unique" => Unique(TemplateValue.Items(value)),
        "sort" => Sort(TemplateValue.Items(value), call),
        "sum" => TemplateValue.Items(value).Select(item => Field(item, call.Get(0, "attribute"))).Aggregate((object?)0L, (sum, item) => TemplateArithmetic.Apply("+", sum, item)),
        "min" => TemplateValue.Items(value).Order(_order).FirstOrDefault(TemplateUndefined.Of("the least of nothing")),
        "max" => TemplateValue.Items(value).OrderDescending(_order).FirstOrDefault(TemplateUndefined.Of("the largest of nothing")),
        "map" => Some(value).Select(item => Mapped(item, call, scope)).ToList(),
        "select" => Some(value).Where(item => Passes(item, call, 0)).ToList(),
        "reject" => Some(value).Where(item => !Passes(item, call, 0)).ToList(),
        "selectattr" => Some(value).Where(item => Passes(Field(item, call.Get(0, "attribute")), call, 1)).ToList(),
        "rejectattr" => Some(value).Where(item => !Passes(Field(item, call.Get(0, "attribute")), call, 1)).ToList(),
        "int" => Whole(value, call),
        "float" => value is long whole ? (object)(double)whole : value is double ? value
            : double.TryParse(TemplateValue.Text(value), NumberStyles.Float, CultureInfo.InvariantCulture, out var parsed) ? parsed : call.Get(0, "default", 0.0),
        "abs" => value is double number ? (object)Math.Abs(number) : value is long whole ? Math.Abs(Math.Max(whole, -long.MaxValue)) : throw new TemplateException($"{TemplateValue.Name(value)} is no number"),
        "round" => value is double number ? Math.Round(number, (int)Math.Clamp(call.Get(0, "precision") is long digits ? digits : 0, 0, 15)) : value,
        _ => throw new TemplateException($"the filter '{name}' is not supported"),
    };

    private static readonly Comparer<object?> _order = Comparer<object?>.Create(TemplateArithmetic.Compare);

    public static string Capitalize(string text) => text.Length == 0 ? text : char.ToUpperInvariant(text[0]) + text[1..].ToLowerInvariant();

    public static string Title(string text)
    {
        var made = new StringBuilder(text.Length);
        foreach (var character in text)
        {
            made.Append(made.Length > 0 && char.IsLetter(made[^1]) ? char.ToLowerInvariant(character) : char.ToUpperInvariant(character));
        }

        return made.ToString();
    }

    public static string Replace(string text, TemplateCall call)
    {
        var (old, made) = (TemplateValue.Text(call.Get(0, "old")), TemplateValue.Text(call.Get(1, "new")));
        var most = call.Get(2, "count") is long count and >= 0 ? count : long.MaxValue;
        if (old.Length == 0 || (text.Length / old.Length * (long)made.Length) > TemplateValue.LongestText)
        {
            throw new TemplateException(old.Length == 0 ? "nothing cannot be replaced" : "the chat template makes a text that is too long");
        }

        if (most == long.MaxValue)
        {
            return text.Replace(old, made, StringComparison.Ordinal);
        }

        for (var at = text.IndexOf(old, StringComparison.Ordinal); at >= 0 && most > 0; most--)
        {
            text = string.Concat(text.AsSpan(0, at), made, text.AsSpan(at + old.Length));
            at = text.IndexOf(old, at + made.Length, StringComparison.Ordinal);
        }

        return text;
    }

    private static string ToJson(object? value, TemplateCall call)
    {
        var indent = call.Get(0, "indent") is long spaces ? (int)Math.Clamp(spaces, 0, 16) : (int?)null;
        var separators = call.Named.GetValueOrDefault("separators") is List<object?> { Count: 2 } given ? given.ConvertAll(TemplateValue.Text) : [", ", ": "];
        return TemplateJson.Write(value, indent, separators[0], separators[1], TemplateValue.IsTrue(call.Named.GetValueOrDefault("ensure_ascii")), TemplateValue.IsTrue(call.Named.GetValueOrDefault("sort_keys")));
    }

    private static string Indent(string text, TemplateCall call)
    {
        var margin = call.Get(0, "width", 4L) switch
        {
            long width => new string(' ', (int)Math.Clamp(width, 0, 256)),
            var given => TemplateValue.Text(given),
        };
        var (first, blank) = (TemplateValue.IsTrue(call.Get(1, "first", false)), TemplateValue.IsTrue(call.Get(2, "blank", false)));
        return string.Join('\n', text.Split('\n').Select((line, index) => (index == 0 ? first : blank || line.Length > 0) ? margin + line : line));
    }

    private static object? Whole(object? value, TemplateCall call) => value switch
    {
        long => value,
        bool flag => flag ? 1L : 0L,
        double number when Math.Abs(number) < 9e18 => (long)number,
        string text when long.TryParse(text.Trim(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var parsed) => parsed,
        _ => call.Get(0, "default", 0L),
    };

    /// <summary>The items of a value; none where it is none.</summary>
    private static IEnumerable<object?> Some(object? value) => TemplateValue.IsTrue(value) ? TemplateValue.Items(value) : [];

    private static List<object?> Unique(IEnumerable<object?> items)
    {
        var kept = new List<object?>();
        foreach (var item in items)
        {
            if (!kept.Exists(other => TemplateArithmetic.AreEqual(other, item)))
            {
                kept.Add(item);
            }
        }

        return kept;
    }

    private static List<object?> Sort(IEnumerable<object?> items, TemplateCall call)
    {
        object? KeyOf(object? item) => Field(item, call.Named.GetValueOrDefault("attribute")) is string text && !TemplateValue.IsTrue(call.Get(1, "case_sensitive", false)) ? text.ToLowerInvariant() : Field(item, call.Named.GetValueOrDefault("attribute"));
        return TemplateValue.IsTrue(call.Get(0, "reverse", false)) ? [.. items.OrderByDescending(KeyOf, _order)] : [.. items.OrderBy(KeyOf, _order)];
    }

    /// <summary>A field by its path; the item itself where no field is asked for.</summary>
    private static object? Field(object? item, object? path) => path is null ? item
        : TemplateValue.Text(path).Split('.').Aggregate(item, (current, name) => TemplateValue.Item(current, long.TryParse(name, out var index) ? index : name));

    private static object? Mapped(object? item, TemplateCall call, TemplateScope scope) => call.Named.TryGetValue("attribute", out var attribute)
        ? Field(item, attribute) is TemplateUndefined && call.Named.TryGetValue("default", out var otherwise) ? otherwise : Field(item, attribute)
        : Apply(TemplateValue.Text(call.Get(0, "filter")), item, new([.. call.Positional.Skip(1)], [], null), scope);

    /// <summary>Whether an item passes the test that the arguments name; without one whether it is true.</summary>
    private static bool Passes(object? item, TemplateCall call, int first) => call.Positional.Count <= first ? TemplateValue.IsTrue(item)
        : TemplateTests.Apply(TemplateValue.Text(call.Positional[first]) switch { "==" => "eq", "!=" => "ne", var name => name }, item, [.. call.Positional.Skip(first + 1)]);
}
