using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Toolkit.Text;

/// <summary>
/// Writes an expression of Oniguruma, which Hugging Face's tokenizers uses, as .NET has it: possessive quantifiers, line ends, scripts, the
/// intersection with a complement, and code points outside of the first plane.
/// </summary>
internal static partial class ExpressionTranslator
{
    /// <summary>The scripts that tokenizers split by, as ranges.</summary>
    private static readonly Dictionary<string, string> _scripts = new(StringComparer.Ordinal)
    {
        ["Han"] = "\u2E80-\u2E99\u2E9B-\u2EF3\u2F00-\u2FD5\u3005\u3007\u3021-\u3029\u3038-\u303B\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFA6D\uFA70-\uFAD9\U00016FE2-\U00016FE3\U00016FF0-\U00016FF1\U00020000-\U0002A6DF\U0002A700-\U0002EBE0\U0002F800-\U0002FA1D\U00030000-\U000323AF",
        ["Hiragana"] = "\u3041-\u3096\u309D-\u309F\U0001B001-\U0001B11F\U0001B132\U0001B150-\U0001B152\U0001F200",
        ["Katakana"] = "\u30A1-\u30FA\u30FD-\u30FF\u31F0-\u31FF\u32D0-\u32FE\u3300-\u3357\uFF66-\uFF6F\uFF71-\uFF9D\U0001B000\U0001B120-\U0001B122\U0001B155\U0001B164-\U0001B167",
        ["Hangul"] = "\u1100-\u11FF\u302E-\u302F\u3131-\u318E\u3200-\u321E\u3260-\u327E\uA960-\uA97C\uAC00-\uD7A3\uD7B0-\uD7C6\uD7CB-\uD7FB\uFFA0-\uFFBE\uFFC2-\uFFC7\uFFCA-\uFFCF\uFFD2-\uFFD7\uFFDA-\uFFDC",
        ["Thai"] = "\u0E01-\u0E3A\u0E40-\u0E5B",
        ["Arabic"] = "\u0600-\u0604\u0606-\u060B\u060D-\u061A\u061C-\u061E\u0620-\u063F\u0641-\u064A\u0656-\u066F\u0671-\u06DC\u06DE-\u06FF\u0750-\u077F\u08A0-\u08FF\uFB50-\uFDFF\uFE70-\uFEFC",
        ["Cyrillic"] = "\u0400-\u0484\u0487-\u052F\u1C80-\u1C88\u1D2B\u1D78\u2DE0-\u2DFF\uA640-\uA69F\uFE2E-\uFE2F",
        ["Greek"] = "\u0370-\u0373\u0375-\u0377\u037A-\u037D\u037F\u0384\u0386\u0388-\u03E1\u03F0-\u03FF\u1F00-\u1FFE\u2126",
    };

    /// <summary>The expression for .NET, and what stands in for code points outside of the first plane.</summary>
    public static string Translate(string expression, out StandIns standIns)
    {
        var source = Scripts().Replace(expression, script => _scripts.TryGetValue(script.Groups["name"].Value, out var ranges)
            ? IsInClass(expression, script.Index) ? ranges : $"[{(script.Value[1] == 'P' ? "^" : "")}{ranges}]" : script.Value);
        source = source.Replace("&&[^", "-[", StringComparison.Ordinal);
        if (source.Contains("&&", StringComparison.Ordinal) && ClassIntersection().IsMatch(source))
        {
            throw new ArgumentException("an intersection of classes is supported only with a complement ([…&&[^…]])");
        }

        source = CaseInsensitive().Replace(source, group => group.Groups["open"].Value + WithLongS(group.Groups["body"].Value));
        source = RepeatedIntervals().Replace(source, "(?:${what}${how})+");
        standIns = new StandIns(source.AsSpan().IndexOfAnyExceptInRange('\0', '\u007F') < 0 ? [] : Named(source));
        return PossessiveQuantifiers().Replace(Rewrite(source, standIns), "(?>${what}${how})");
    }

    private static string Rewrite(string source, StandIns standIns)
    {
        var made = new StringBuilder(source.Length + 16);
        var depth = 0;
        for (var i = 0; i < source.Length; i++)
        {
            var character = source[i];
            if (character == '\\' && i + 1 < source.Length)
            {
                made.Append(character).Append(source[++i]);
            }
            else if (char.IsHighSurrogate(character) && i + 1 < source.Length && char.IsLowSurrogate(source[i + 1]))
            {
                var (begin, end, length) = RangeAt(source, i, depth > 0);
                var stand = standIns.Of(begin, end);
                made.Append(depth > 0 ? stand : $"[{stand}]");
                i += length - 1;
            }
            else
            {
                depth += depth == 0 || i > 0 && source[i - 1] == '-' ? character == '[' ? 1 : 0 : 0;
                depth -= depth > 0 && character == ']' ? 1 : 0;
                // In Ruby's syntax, Oniguruma's own, both anchors are those of a line.
                _ = (depth, character) switch
                {
                    (0, '$') => made.Append("(?=\\n|\\z)"),
                    (0, '^') => made.Append("(?<=\\A|\\n)"),
                    _ => made.Append(character),
                };
            }
        }

        return made.ToString();
    }

    /// <summary>The code points that an expression names, as ranges.</summary>
    private static List<(int Begin, int End)> Named(string source)
    {
        var ranges = new List<(int, int)>();
        var inClass = false;
        for (var i = 0; i < source.Length;)
        {
            if (source[i] == '\\')
            {
                i += 2;
                continue;
            }

            inClass = source[i] == '[' || (inClass && source[i] != ']');
            var (begin, end, length) = RangeAt(source, i, inClass);
            ranges.Add((begin, end));
            i += length;
        }

        return ranges;
    }

    /// <summary>A code point, or in a class the range that begins with it.</summary>
    private static (int Begin, int End, int Length) RangeAt(string source, int index, bool inClass)
    {
        var begin = Characters.At(source, index, out var length);
        var next = index + length;
        if (!inClass || next + 1 >= source.Length || source[next] != '-' || source[next + 1] is ']' or '[' or '\\')
        {
            return (begin, begin, length);
        }

        var end = Characters.At(source, next + 1, out var more);
        return end < begin ? throw new ArgumentException($"the range from U+{begin:X4} to U+{end:X4} is reversed") : (begin, end, length + 1 + more);
    }

    private static bool IsInClass(string source, int index)
    {
        var inside = false;
        for (var i = 0; i < index; i++)
        {
            i += source[i] == '\\' ? 1 : 0;
            inside = i < index && (source[i] == '[' && source[Math.Max(0, i - 1)] != '\\' || (inside && (source[i] != ']' || source[i - 1] == '\\')));
        }

        return inside;
    }

    [GeneratedRegex(@"\\[pP]\{(?:Script=|sc=|Is)?(?<name>Han|Hiragana|Katakana|Hangul|Thai|Arabic|Cyrillic|Greek)\}")]
    private static partial Regex Scripts();

    [GeneratedRegex(@"\[[^\]]*&&")]
    private static partial Regex ClassIntersection();

    /// <summary>Without regard to case an s is also the long s, which .NET does not know.</summary>
    private static string WithLongS(string body)
    {
        var made = new StringBuilder(body.Length + 8);
        var inClass = false;
        for (var i = 0; i < body.Length; i++)
        {
            inClass = body[i] == '[' || (inClass && body[i] != ']');
            if (body[i] == '\\' && i + 1 < body.Length)
            {
                made.Append(body[i]).Append(body[++i]);
            }
            else
            {
                _ = body[i] is 's' or 'S' ? made.Append(inClass ? "s\u017F" : "[s\u017F]") : made.Append(body[i]);
            }
        }

        return made.ToString();
    }

    [GeneratedRegex(@"(?<open>\(\?i:)(?<body>[^()]*)")]
    private static partial Regex CaseInsensitive();

    /// <summary>In Ruby's syntax <c>a{1,3}+</c> is no possessive quantifier: it repeats the repetition.</summary>
    [GeneratedRegex(@"(?<what>\[(?:\\.|[^\]\\])*\]|\\p\{\w+\}|\\.|[^\\()\[\]{}|?*+])(?<how>\{\d+(?:,\d*)?\})\+")]
    private static partial Regex RepeatedIntervals();

    /// <summary>.NET has no possessive quantifiers (a++), which GPT-4's expression uses; an atomic group around a greedy one is the same.</summary>
    [GeneratedRegex(@"(?<what>\[(?:\\.|[^\]\\])*\]|\\p\{\w+\}|\\.|[^\\()\[\]{}|?*+])(?<how>[?*+])\+")]
    private static partial Regex PossessiveQuantifiers();
}
