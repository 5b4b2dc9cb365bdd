using System.Globalization;
using System.Text;

namespace Toolkit.Text;

/// <summary>Joins runs of tokens that are bytes (<c>&lt;0xE2&gt;</c>) to characters; of a run that is no UTF-8 every byte becomes U+FFFD.</summary>
internal sealed class ByteFallbackDecoder : TokenDecoder
{
    /// <summary>The byte that a token is, or null.</summary>
    public static byte? Byte(string token) =>
        token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
        && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value) ? value : null;

    public override List<string> Decode(List<string> tokens)
    {
        var parts = new List<string>(tokens.Count);
        var run = new List<byte>();
        foreach (var token in tokens)
        {
            if (Byte(token) is { } value)
            {
                run.Add(value);
                continue;
            }

            Flush();
            parts.Add(token);
        }

        Flush();
        return parts;

        void Flush()
        {
            if (run.Count > 0)
            {
                var bytes = run.ToArray();
                parts.Add(System.Text.Unicode.Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : new string('\uFFFD', bytes.Length));
                run.Clear();
            }
        }
    }
}
