using System.Globalization;
using System.Text;

namespace Toolkit.Text;

/// <summary>
/// One character a code point, as Oniguruma sees a text: .NET's expressions would see two halves outside of the first plane, neither of them a letter.
/// A character of the same category stands in for such a code point, and one of its own for those that the expression names.
/// </summary>
internal sealed class StandIns
{
    private const int FirstBeyond = 0x10000;

    private static readonly Lazy<Dictionary<UnicodeCategory, char[]>> _candidates = new(() => Enumerable.Range(0x100, 0xD800 - 0x100).Select(value => (char)value)
        .GroupBy(CharUnicodeInfo.GetUnicodeCategory).ToDictionary(group => group.Key, group => group.ToArray()));

    private readonly (int Begin, int End)[] _named;
    private readonly List<(int Begin, int End)> _taken;
    private readonly Dictionary<(int Interval, UnicodeCategory Category), char> _chosen = [];

    /// <param name="named">The ranges of code points that the expression names, the last included.</param>
    public StandIns(IReadOnlyCollection<(int Begin, int End)> named)
    {
        // Ranges that overlap are cut at every border, so that each piece is wholly inside or outside of every range.
        var beyond = named.Where(range => range.End >= FirstBeyond).Select(range => (Begin: Math.Max(range.Begin, FirstBeyond), range.End)).ToArray();
        var borders = beyond.SelectMany(range => new[] { range.Begin, range.End + 1 }).Distinct().Order().ToArray();
        _named = [.. borders.Zip(borders.Skip(1), (begin, next) => (begin, next - 1)).Where(piece => beyond.Any(range => range.Begin <= piece.begin && piece.Item2 <= range.End))];
        _taken = [.. named.Where(range => range.Begin >= 0x80 && range.Begin < FirstBeyond)];
    }

    /// <summary>The characters that stand in for a range outside of the first plane.</summary>
    public string Of(int begin, int end)
    {
        var characters = new StringBuilder();
        for (var interval = 0; interval < _named.Length; interval++)
        {
            if (_named[interval].Begin >= begin && _named[interval].End <= end)
            {
                foreach (var category in Categories(_named[interval]))
                {
                    characters.Append(Choose(interval, category));
                }
            }
        }

        return characters.ToString();
    }

    /// <summary>The text with stand-ins, and where each of its characters is in the text; null offsets where nothing changed.</summary>
    public (char[] Characters, int[]? Offsets) Apply(ReadOnlySpan<char> text)
    {
        if (text.IndexOfAnyInRange('\uD800', '\uDFFF') < 0)
        {
            return (text.ToArray(), null);
        }

        var characters = new char[text.Length];
        var offsets = new int[text.Length + 1];
        var count = 0;
        for (var i = 0; i < text.Length; i++)
        {
            offsets[count] = i;
            var point = Characters.At(text, i, out var length);
            characters[count++] = length == 2 ? For(point) : text[i];
            i += length - 1;
        }

        offsets[count] = text.Length;
        return (characters[..count], offsets);
    }

    private char For(int point)
    {
        var category = Characters.Category(point);
        for (var interval = 0; interval < _named.Length; interval++)
        {
            if (point >= _named[interval].Begin && point <= _named[interval].End)
            {
                return Choose(interval, category);
            }
        }

        return Choose(-1, category);
    }

    private char Choose(int interval, UnicodeCategory category)
    {
        lock (_chosen)
        {
            if (!_chosen.TryGetValue((interval, category), out var character))
            {
                // Not one that the expression names itself, nor one that stands for another range.
                var used = _chosen.Values.ToHashSet();
                var free = _candidates.Value.GetValueOrDefault(category, ['\u2603']);
                character = free.FirstOrDefault(value => !used.Contains(value) && !_taken.Exists(range => value >= range.Begin && value <= range.End), free[0]);
                _chosen[(interval, category)] = character;
            }

            return character;
        }
    }

    private static IEnumerable<UnicodeCategory> Categories((int Begin, int End) range) =>
        Enumerable.Range(range.Begin, range.End - range.Begin + 1).Select(Characters.Category).Distinct();
}
