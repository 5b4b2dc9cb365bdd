namespace Toolkit.Text;

/// <summary>The methods of Python's texts, lists and maps that templates call.</summary>
internal static class TemplateMethods
{
    /// <summary>A method of a value; null if it has none of that name.</summary>
    public static TemplateFunction? Of(object? target, string name)
    {
        Func<TemplateCall, object?>? method = target switch
        {
            string text => OfText(text, name),
            List<object?> list => OfList(list, name),
            OrderedDictionary<string, object?> map => OfMap(map, name),
            _ => null,
        };
        return method is null ? null : new((_, call) => method(call));
    }

    private static Func<TemplateCall, object?>? OfText(string text, string name) => name switch
    {
        "strip" => call => text.Trim(Characters(call)),
        "lstrip" => call => text.TrimStart(Characters(call)),
        "rstrip" => call => text.TrimEnd(Characters(call)),
        "upper" => _ => text.ToUpperInvariant(),
        "lower" => _ => text.ToLowerInvariant(),
        "title" => _ => TemplateFilters.Title(text),
        "capitalize" => _ => TemplateFilters.Capitalize(text),
        "startswith" => call => Any(call, part => text.StartsWith(part, StringComparison.Ordinal)),
        "endswith" => call => Any(call, part => text.EndsWith(part, StringComparison.Ordinal)),
        "split" => call => Split(text, call.Get(0, "sep"), call.Get(1, "maxsplit", -1L), fromEnd: false),
        "rsplit" => call => Split(text, call.Get(0, "sep"), call.Get(1, "maxsplit", -1L), fromEnd: true),
        "splitlines" => _ => Lines(text),
        "replace" => call => TemplateFilters.Replace(text, call),
        "join" => call => string.Join(text, TemplateValue.Items(call.Get(0, "iterable")).Select(TemplateValue.Text)),
        "find" => call => (long)text.IndexOf(TemplateValue.Text(call.Get(0, "sub")), StringComparison.Ordinal),
        "rfind" => call => (long)text.LastIndexOf(TemplateValue.Text(call.Get(0, "sub")), StringComparison.Ordinal),
        "count" => call => TemplateValue.Text(call.Get(0, "sub")) is { Length: > 0 } part ? (long)text.AsSpan().Count(part) : text.Length + 1L,
        "isdigit" => _ => text.Length > 0 && text.All(char.IsDigit),
        "isalpha" => _ => text.Length > 0 && text.All(char.IsLetter),
        "isalnum" => _ => text.Length > 0 && text.All(char.IsLetterOrDigit),
        "isspace" => _ => text.Length > 0 && text.All(char.IsWhiteSpace),
        "isupper" => _ => text.Any(char.IsUpper) && !text.Any(char.IsLower),
        "islower" => _ => text.Any(char.IsLower) && !text.Any(char.IsUpper),
        "format" => call => Format(text, call),
        "removeprefix" => call => TemplateValue.Text(call.Get(0, "prefix")) is var part && text.StartsWith(part, StringComparison.Ordinal) ? text[part.Length..] : text,
        "removesuffix" => call => TemplateValue.Text(call.Get(0, "suffix")) is var part && text.EndsWith(part, StringComparison.Ordinal) ? text[..^part.Length] : text,
        _ => null,
    };

    private static Func<TemplateCall, object?>? OfList(List<object?> list, string name) => name switch
    {
        "append" => call => Done(() => list.Add(call.Get(0, "object"))),
        "extend" => call => Done(() => list.AddRange(TemplateValue.Items(call.Get(0, "iterable")).ToList())),
        "insert" => call => Done(() => list.Insert((int)Math.Clamp(call.Get(0, "index") is long index ? index : 0, 0, list.Count), call.Get(1, "object"))),
        "pop" => call => Pop(list, call.Get(0, "index", -1L)),
        "index" => call => list.FindIndex(item => TemplateArithmetic.AreEqual(item, call.Get(0, "value"))) is >= 0 and var index ? (long)index : throw new TemplateException("the list has no such item"),
        "count" => call => (long)list.Count(item => TemplateArithmetic.AreEqual(item, call.Get(0, "value"))),
        "copy" => _ => list.ToList(),
        _ => null,
    };

    private static Func<TemplateCall, object?>? OfMap(OrderedDictionary<string, object?> map, string name) => name switch
    {
        "get" => call => map.TryGetValue(TemplateValue.Text(call.Get(0, "key")), out var value) ? value : call.Get(1, "default"),
        "items" => _ => map.Select(item => (object?)new List<object?> { item.Key, item.Value }).ToList(),
        "keys" => _ => map.Keys.Cast<object?>().ToList(),
        "values" => _ => map.Values.ToList(),
        "copy" => _ => new OrderedDictionary<string, object?>(map),
        "pop" => call => Pop(map, TemplateValue.Text(call.Get(0, "key")), call),
        "update" => call => Done(() =>
        {
            foreach (var (key, value) in call.Get(0, "other") as OrderedDictionary<string, object?> ?? call.Named)
            {
                map[key] = value;
            }
        }),
        "setdefault" => call => map.TryGetValue(TemplateValue.Text(call.Get(0, "key")), out var value) ? value : map[TemplateValue.Text(call.Get(0, "key"))] = call.Get(1, "default"),
        _ => null,
    };

    private static object? Done(Action change)
    {
        change();
        return null;
    }

    private static object? Pop(List<object?> list, object? at)
    {
        var index = at is long given ? given < 0 ? given + list.Count : given : -1;
        if (index < 0 || index >= list.Count)
        {
            throw new TemplateException($"a list of {list.Count} has no item {TemplateValue.Text(at)}");
        }

        var value = list[(int)index];
        list.RemoveAt((int)index);
        return value;
    }

    private static object? Pop(OrderedDictionary<string, object?> map, string key, TemplateCall call) =>
        map.Remove(key, out var value) ? value : call.Positional.Count > 1 ? call.Positional[1] : throw new TemplateException($"the map has no '{key}'");

    private static char[] Characters(TemplateCall call) => call.Get(0, "chars") is string characters ? characters.ToCharArray() : [];

    private static bool Any(TemplateCall call, Func<string, bool> test) =>
        call.Get(0, "prefix") is List<object?> several ? several.Exists(part => test(TemplateValue.Text(part))) : test(TemplateValue.Text(call.Get(0, "prefix")));

    private static List<object?> Lines(string text)
    {
        var lines = text.ReplaceLineEndings("\n").Split('\n').Cast<object?>().ToList();
        if (lines[^1] is "")
        {
            lines.RemoveAt(lines.Count - 1);
        }

        return lines;
    }

    private static List<object?> Split(string text, object? separator, object? most, bool fromEnd)
    {
        var limit = most is long number and >= 0 ? (int)Math.Min(number, int.MaxValue - 1) : int.MaxValue - 1;
        if (separator is null)
        {
            var words = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            return words.Length <= limit + 1L ? [.. words] : throw new TemplateException("a limited split at white space is not supported");
        }

        var mark = TemplateValue.Text(separator);
        if (mark.Length == 0)
        {
            throw new TemplateException("a text cannot be split at nothing");
        }

        var parts = text.Split(mark, StringSplitOptions.None);
        var joined = Math.Max(0, parts.Length - 1 - (long)limit);
        return joined == 0 ? [.. parts] : fromEnd ? [string.Join(mark, parts.Take((int)joined + 1)), .. parts.Skip((int)joined + 1)]
            : [.. parts.Take(limit), string.Join(mark, parts.Skip(limit))];
    }

    /// <summary>Only {}, {0} and {name}.</summary>
    private static string Format(string format, TemplateCall call)
    {
        var next = 0;
        var made = new System.Text.StringBuilder();
        for (var i = 0; i < format.Length; i++)
        {
            if (format[i] is '{' or '}' && i + 1 < format.Length && format[i + 1] == format[i])
            {
                made.Append(format[i++]);
                continue;
            }

            if (format[i] != '{')
            {
                made.Append(format[i]);
                continue;
            }

            var end = format.IndexOf('}', i);
            var name = end < 0 ? throw new TemplateException($"the format '{format}' is not closed") : format[(i + 1)..end];
            var index = name.Length == 0 ? next++ : int.TryParse(name, out var number) ? number : -1;
            made.Append(TemplateValue.Text(index >= 0 && index < call.Positional.Count ? call.Positional[index] : call.Named.TryGetValue(name, out var value) ? value
                : throw new TemplateException($"the format '{format}' has no value for '{name}', or is not supported")));
            i = end;
        }

        return made.ToString();
    }
}
