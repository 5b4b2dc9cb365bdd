namespace Toolkit.Text;

/// <summary>Operators on values, as Python has them.</summary>
internal static class TemplateArithmetic
{
    private const int LongestRepetition = 1 << 20;

    public static object? Apply(string operation, object? left, object? right) => operation switch
    {
        "==" => AreEqual(left, right),
        "!=" => !AreEqual(left, right),
        "<" => Compare(left, right) < 0,
        ">" => Compare(left, right) > 0,
        "<=" => Compare(left, right) <= 0,
        ">=" => Compare(left, right) >= 0,
        "in" => Contains(right, left),
        "not in" => !Contains(right, left),
        "~" => TemplateValue.Text(left) + TemplateValue.Text(right),
        "+" when left is string a && right is string b => Bounded(a, b),
        "+" when left is List<object?> a && right is List<object?> b => a.Concat(b).ToList(),
        "*" when left is string text && right is long count => Repeat(text, count),
        "*" when left is long count && right is string text => Repeat(text, count),
        "%" when left is string format => Format(format, right),
        _ when Number(left) is { } a && Number(right) is { } b => left is double || right is double || operation == "/" ? OfNumbers(operation, a, b) : OfWholes(operation, (long)a, (long)b),
        _ => throw new TemplateException($"'{operation}' of {TemplateValue.Name(left)} and {TemplateValue.Name(right)} is not possible"),
    };

    public static bool AreEqual(object? left, object? right) => (left, right) switch
    {
        (TemplateUndefined, TemplateUndefined) => true,
        (List<object?> a, List<object?> b) => a.Count == b.Count && a.Zip(b).All(pair => AreEqual(pair.First, pair.Second)),
        (OrderedDictionary<string, object?> a, OrderedDictionary<string, object?> b) => a.Count == b.Count && a.All(item => b.TryGetValue(item.Key, out var other) && AreEqual(item.Value, other)),
        _ when Number(left) is { } a && Number(right) is { } b => a.Equals(b),
        _ => Equals(left, right),
    };

    public static int Compare(object? left, object? right) => (left, right) switch
    {
        (string a, string b) => string.CompareOrdinal(a, b),
        (List<object?> a, List<object?> b) => a.Zip(b).Select(pair => Compare(pair.First, pair.Second)).FirstOrDefault(order => order != 0, a.Count.CompareTo(b.Count)),
        _ when Number(left) is { } a && Number(right) is { } b => a.CompareTo(b),
        _ => throw new TemplateException($"{TemplateValue.Name(left)} and {TemplateValue.Name(right)} cannot be compared"),
    };

    public static bool Contains(object? container, object? item) => container switch
    {
        string text => item is string part ? text.Contains(part, StringComparison.Ordinal) : throw new TemplateException($"a text cannot contain {TemplateValue.Name(item)}"),
        List<object?> list => list.Exists(other => AreEqual(other, item)),
        OrderedDictionary<string, object?> map => item is string key && map.ContainsKey(key),
        TemplateNamespace fields => item is string key && fields.Fields.ContainsKey(key),
        TemplateUndefined => false,
        _ => throw new TemplateException($"{TemplateValue.Name(container)} contains nothing"),
    };

    private static double? Number(object? value) => value switch
    {
        long whole => whole,
        double number => number,
        bool flag => flag ? 1 : 0,
        _ => null,
    };

    private static object OfWholes(string operation, long a, long b)
    {
        if (b == 0 && operation is "//" or "%")
        {
            throw new TemplateException("a division by zero");
        }

        try
        {
            return checked(operation switch
            {
                "+" => a + b,
                "-" => a - b,
                "*" => a * b,
                "//" => (long)Math.Floor((double)a / b),
                "%" => ((a % b) + b) % b,
                "**" => b is >= 0 and < 64 && Math.Abs(Math.Pow(a, b)) < 9e18 ? (long)Math.Pow(a, b) : (object)Math.Pow(a, b),
                _ => throw new TemplateException($"'{operation}' of numbers is not possible"),
            });
        }
        catch (OverflowException)
        {
            throw new TemplateException($"{a} {operation} {b} is too large a number");
        }
    }

    private static object OfNumbers(string operation, double a, double b) => operation switch
    {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" or "//" or "%" when b == 0 => throw new TemplateException("a division by zero"),
        "/" => a / b,
        "//" => Math.Floor(a / b),
        "%" => a - (Math.Floor(a / b) * b),
        "**" => Math.Pow(a, b),
        _ => throw new TemplateException($"'{operation}' of numbers is not possible"),
    };

    private static string Bounded(string left, string right) => left.Length + (long)right.Length <= TemplateValue.LongestText ? left + right
        : throw new TemplateException("the chat template makes a text that is too long");

    private static string Repeat(string text, long count) => count <= 0 ? "" : count * text.Length <= LongestRepetition ? string.Concat(Enumerable.Repeat(text, (int)count))
        : throw new TemplateException("the chat template makes a text that is too long");

    /// <summary>Only %s and %d, which is all that templates use.</summary>
    private static string Format(string format, object? values)
    {
        var rest = values as List<object?> ?? [values];
        var parts = format.Split("%%");
        var next = 0;
        for (var i = 0; i < parts.Length; i++)
        {
            for (var at = parts[i].IndexOf('%'); at >= 0; at = parts[i].IndexOf('%', at))
            {
                if (at + 1 >= parts[i].Length || parts[i][at + 1] is not ('s' or 'd') || next >= rest.Count)
                {
                    throw new TemplateException($"the format '{format}' is not supported");
                }

                var text = TemplateValue.Text(rest[next++]);
                parts[i] = parts[i][..at] + text + parts[i][(at + 2)..];
                at += text.Length;
                if (at >= parts[i].Length)
                {
                    break;
                }
            }
        }

        return string.Join('%', parts);
    }
}
