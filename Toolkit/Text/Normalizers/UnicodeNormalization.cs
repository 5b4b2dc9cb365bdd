using System.IO.Compression;
using System.Text;

namespace Toolkit.Text;

/// <summary>
/// The four normalization forms of Unicode (Unicode Standard Annex 15) from tables of our own: .NET's <c>string.Normalize</c> returns every text as it
/// is when a program runs without ICU (invariant globalization), and a tokenizer must give the same tokens everywhere.
/// </summary>
internal static class UnicodeNormalization
{
    private const int HangulSyllables = 0xAC00;
    private const int LeadingJamo = 0x1100;
    private const int VowelJamo = 0x1161;
    private const int TrailingJamo = 0x11A7;
    private const int Vowels = 21;
    private const int Trailings = 28;
    private const int Syllables = 19 * Vowels * Trailings;

    private static readonly Tables _tables = Tables.Read();

    /// <summary>A text in one of the four forms; a lone surrogate stays as it is.</summary>
    public static string Normalize(string text, bool compose, bool compatibility)
    {
        if (System.Text.Ascii.IsValid(text))
        {
            return text;
        }

        var points = new List<int>(text.Length + 8);
        for (var i = 0; i < text.Length; i++)
        {
            Decompose(char.IsSurrogatePair(text, i) ? char.ConvertToUtf32(text[i], text[++i]) : text[i], compatibility, points);
        }

        Order(points);
        return Write(compose ? Compose(points) : points, text.Length);
    }

    /// <summary>The canonical combining class of a code point; 0 for one that starts a character.</summary>
    public static int CombiningClass(int point) => _tables.Classes.GetValueOrDefault(point);

    private static void Decompose(int point, bool compatibility, List<int> points)
    {
        if (point is >= HangulSyllables and < HangulSyllables + Syllables)
        {
            var index = point - HangulSyllables;
            points.Add(LeadingJamo + (index / (Vowels * Trailings)));
            points.Add(VowelJamo + (index % (Vowels * Trailings) / Trailings));
            if (index % Trailings > 0)
            {
                points.Add(TrailingJamo + (index % Trailings));
            }

            return;
        }

        if (point >= 0xA0 && _tables.Decompositions.TryGetValue(point, out var entry) && (compatibility || !entry.Compatibility))
        {
            foreach (var part in entry.Parts)
            {
                Decompose(part, compatibility, points);
            }

            return;
        }

        points.Add(point);
    }

    /// <summary>Sorts the marks after each starter by their class, equal ones in the order they came in.</summary>
    private static void Order(List<int> points)
    {
        for (var begin = 0; begin < points.Count; begin++)
        {
            if (CombiningClass(points[begin]) == 0)
            {
                continue;
            }

            var end = begin + 1;
            while (end < points.Count && CombiningClass(points[end]) != 0)
            {
                end++;
            }

            if (end - begin > 1)
            {
                var marks = points.GetRange(begin, end - begin).OrderBy(CombiningClass).ToArray();
                for (var i = 0; i < marks.Length; i++)
                {
                    points[begin + i] = marks[i];
                }
            }

            begin = end;
        }
    }

    private static List<int> Compose(List<int> points)
    {
        var made = new List<int>(points.Count);
        var starter = -1;
        var lastClass = 0;
        foreach (var point in points)
        {
            var combining = CombiningClass(point);
            // A mark is blocked from its starter by one of the same or a higher class between them.
            var adjacent = starter >= 0 && starter == made.Count - 1;
            if (starter >= 0 && (adjacent || (lastClass != 0 && lastClass < combining)) && Composite(made[starter], point) is { } composite)
            {
                made[starter] = composite;
                continue;
            }

            if (combining == 0)
            {
                starter = made.Count;
            }

            lastClass = combining;
            made.Add(point);
        }

        return made;
    }

    private static int? Composite(int first, int second)
    {
        if (first is >= LeadingJamo and < LeadingJamo + 19 && second is >= VowelJamo and < VowelJamo + Vowels)
        {
            return HangulSyllables + ((((first - LeadingJamo) * Vowels) + second - VowelJamo) * Trailings);
        }

        if (first is >= HangulSyllables and < HangulSyllables + Syllables && (first - HangulSyllables) % Trailings == 0
            && second is > TrailingJamo and < TrailingJamo + Trailings)
        {
            return first + second - TrailingJamo;
        }

        return _tables.Composites.TryGetValue((first, second), out var composite) ? composite : null;
    }

    private static string Write(List<int> points, int length)
    {
        var text = new StringBuilder(length + 8);
        foreach (var point in points)
        {
            _ = point < 0x10000 ? text.Append((char)point) : text.Append(char.ConvertFromUtf32(point));
        }

        return text.ToString();
    }

    /// <summary>The decompositions and classes of Unicode 14, written by tests/fixtures/tokenizers/make/unicode_normalization.py.</summary>
    private sealed record Tables(
        Dictionary<int, (bool Compatibility, int[] Parts)> Decompositions, Dictionary<int, int> Classes, Dictionary<(int First, int Second), int> Composites)
    {
        public static Tables Read()
        {
            using var resource = typeof(UnicodeNormalization).Assembly.GetManifestResourceStream("Toolkit.Text.unicode-normalization.bin")
                ?? throw new InvalidDataException("the assembly lacks its Unicode tables");
            using var data = new DeflateStream(resource, CompressionMode.Decompress);
            var decompositions = new Dictionary<int, (bool, int[])>();
            var composites = new Dictionary<(int, int), int>();
            var point = 0;
            for (var count = Number(data); count > 0; count--)
            {
                point += Number(data);
                var form = Number(data);
                var parts = new int[form >> 2];
                for (var i = 0; i < parts.Length; i++)
                {
                    parts[i] = Number(data);
                }

                decompositions[point] = ((form & 1) != 0, parts);
                if ((form & 3) == 0 && parts.Length == 2)
                {
                    composites[(parts[0], parts[1])] = point;
                }
            }

            var classes = new Dictionary<int, int>();
            point = 0;
            for (var count = Number(data); count > 0; count--)
            {
                point += Number(data);
                classes[point] = Number(data);
            }

            return new(decompositions, classes, composites);
        }

        private static int Number(Stream data)
        {
            var value = 0;
            for (var shift = 0; ; shift += 7)
            {
                var part = data.ReadByte();
                value |= (part & 0x7F) << shift;
                if (part < 0x80)
                {
                    return value;
                }
            }
        }
    }
}
