using System.Globalization;
using System.Text;

namespace Toolkit.Text;

/// <summary>Values as JSON, as transformers' <c>tojson</c> writes them: like Python's <c>json.dumps</c> without escaping what is not ASCII.</summary>
internal static class TemplateJson
{
    private const int Deepest = 100;

    /// <param name="value">The value.</param>
    /// <param name="indent">Spaces a level; null: all in one line.</param>
    /// <param name="item">What separates items.</param>
    /// <param name="key">What separates a key from its value.</param>
    /// <param name="ascii">Whether what is not ASCII is escaped.</param>
    /// <param name="sorted">Whether keys are sorted.</param>
    public static string Write(object? value, int? indent, string item, string key, bool ascii, bool sorted)
    {
        var made = new StringBuilder();
        Append(value, 0);
        return made.ToString();

        void Append(object? part, int depth)
        {
            if (depth > Deepest || made.Length > TemplateValue.LongestText)
            {
                throw new TemplateException("a value is too large for JSON");
            }

            switch (part)
            {
                case null:
                    made.Append("null");
                    break;
                case bool flag:
                    made.Append(flag ? "true" : "false");
                    break;
                case long number:
                    made.Append(number.ToString(CultureInfo.InvariantCulture));
                    break;
                case double number:
                    made.Append(TemplateValue.Number(number));
                    break;
                case string text:
                    Quote(text, ascii, made);
                    break;
                case List<object?> list:
                    Enclose('[', ']', list, depth, each => Append(each, depth + 1));
                    break;
                case OrderedDictionary<string, object?> map:
                    Enclose('{', '}', sorted ? map.OrderBy(pair => pair.Key, StringComparer.Ordinal).ToList() : map.ToList(), depth, pair =>
                    {
                        Quote(pair.Key, ascii, made);
                        made.Append(key);
                        Append(pair.Value, depth + 1);
                    });
                    break;
                default:
                    throw new TemplateException($"{TemplateValue.Name(part)} cannot be written as JSON");
            }
        }

        void Enclose<T>(char open, char close, List<T> parts, int depth, Action<T> append)
        {
            made.Append(open);
            for (var i = 0; i < parts.Count; i++)
            {
                // With an indent every item has a line of its own, and no space after the comma.
                made.Append(i == 0 ? "" : indent is null ? item : item.TrimEnd());
                Line(depth + 1);
                append(parts[i]);
            }

            if (parts.Count > 0)
            {
                Line(depth);
            }

            made.Append(close);
        }

        void Line(int depth)
        {
            if (indent is { } spaces)
            {
                made.Append('\n').Append(' ', spaces * depth);
            }
        }
    }

    private static void Quote(string text, bool ascii, StringBuilder made)
    {
        made.Append('"');
        foreach (var character in text)
        {
            _ = character switch
            {
                '"' => made.Append("\\\""),
                '\\' => made.Append(@"\\"),
                '\n' => made.Append(@"\n"),
                '\r' => made.Append(@"\r"),
                '\t' => made.Append(@"\t"),
                '\b' => made.Append(@"\b"),
                '\f' => made.Append(@"\f"),
                < ' ' => made.Append(CultureInfo.InvariantCulture, $"\\u{(int)character:x4}"),
                > '~' when ascii => made.Append(CultureInfo.InvariantCulture, $"\\u{(int)character:x4}"),
                _ => made.Append(character),
            };
        }

        made.Append('"');
    }
}
