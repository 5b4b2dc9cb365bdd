using System.Collections.Concurrent;
using System.Text.RegularExpressions;

namespace Toolkit.Text;

/// <summary>
/// What a tokenizer looks for: a literal text, or an expression as Hugging Face's tokenizers writes it (Oniguruma), matched over whole code points.
/// </summary>
internal sealed class UnicodePattern
{
    // A hostile expression may need longer than the age of the world: no real one needs a second for a match.
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(10);
    private static readonly ConcurrentDictionary<string, Regex> _compiled = new(StringComparer.Ordinal);
    private const int KeptCompiled = 64;

    private readonly string _source;
    private readonly StandIns _standIns;
    private readonly Regex _plain;
    private Regex? _fast;

    private UnicodePattern(string source, string? literal)
    {
        _source = source;
        Literal = literal;
        try
        {
            var translated = ExpressionTranslator.Translate(source, out _standIns);
            _plain = new Regex(translated, RegexOptions.CultureInvariant, _patience);
        }
        catch (ArgumentException problem)
        {
            throw new NotSupportedException($"the expression '{Shorten(source)}' cannot be used: {problem.Message}", problem);
        }
    }

    /// <summary>The text that is looked for, where it is no expression.</summary>
    public string? Literal { get; }

    /// <summary>The pattern of an expression.</summary>
    /// <exception cref="NotSupportedException">.NET has no such expression.</exception>
    public static UnicodePattern OfExpression(string expression) => new(expression, null);

    /// <summary>The pattern of a text that is looked for as it is.</summary>
    public static UnicodePattern OfText(string text) => new(Regex.Escape(text), text);

    /// <summary>Reads a field of the form <c>{ "Regex": "…" }</c> or <c>{ "String": "…" }</c>.</summary>
    public static UnicodePattern Read(JsonFields json, string name)
    {
        var pattern = json.Object(name);
        return pattern.TextOr("Regex", null) is { } expression ? OfExpression(expression) : OfText(pattern.Text("String"));
    }

    /// <summary>Where the pattern matches, from left to right.</summary>
    /// <exception cref="InvalidDataException">The expression takes too long on this text.</exception>
    public List<(int Begin, int End)> Matches(ReadOnlySpan<char> text)
    {
        var matches = new List<(int, int)>((text.Length / 4) + 1);
        var (characters, offsets) = _standIns.Apply(text);
        try
        {
            foreach (var match in (_fast ??= Fast()).EnumerateMatches(characters))
            {
                matches.Add(offsets is null ? (match.Index, match.Index + match.Length) : (offsets[match.Index], offsets[match.Index + match.Length]));
            }
        }
        catch (RegexMatchTimeoutException problem)
        {
            throw new InvalidDataException($"the expression '{Shorten(_source)}' takes more than {_patience.TotalSeconds:0} seconds on a text", problem);
        }

        return matches;
    }

    private static string Shorten(string text) => text.Length <= 80 ? text : text[..80] + "…";

    /// <summary>Compiled at first use, and once for all tokenizers that use the same; the few that are not kept stay interpreted.</summary>
    private Regex Fast()
    {
        var expression = _plain.ToString();
        if (!_compiled.TryGetValue(expression, out var fast))
        {
            if (_compiled.Count >= KeptCompiled || expression.Length > 10_000)
            {
                return _plain;
            }

            fast = _compiled.GetOrAdd(expression, source => new Regex(source, RegexOptions.CultureInvariant | RegexOptions.Compiled, _patience));
        }

        return fast;
    }
}
