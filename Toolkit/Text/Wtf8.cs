using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace Toolkit.Text;

/// <summary>
/// UTF-8 in which a surrogate without its partner has the three bytes that UTF-8 forbids (WTF-8, Sapin, https://simonsapin.github.io/wtf-8):
/// every .NET string has its own bytes, also those that are no valid UTF-16.
/// </summary>
internal static class Wtf8
{
    private const byte SurrogateLead = 0xED;

    /// <summary>The bytes of a text.</summary>
    public static byte[] Encode(ReadOnlySpan<char> text)
    {
        var bytes = new byte[text.Length * 3];
        if (Utf8.FromUtf16(text, bytes, out _, out var written, replaceInvalidSequences: false) == OperationStatus.Done)
        {
            return bytes[..written];
        }

        written = 0;
        for (var i = 0; i < text.Length;)
        {
            if (Rune.DecodeFromUtf16(text[i..], out var rune, out var used) == OperationStatus.Done)
            {
                written += rune.EncodeToUtf8(bytes.AsSpan(written));
                i += used;
                continue;
            }

            var surrogate = text[i++];
            bytes[written++] = SurrogateLead;
            bytes[written++] = (byte)(0x80 | ((surrogate >> 6) & 0x3F));
            bytes[written++] = (byte)(0x80 | (surrogate & 0x3F));
        }

        return bytes[..written];
    }

    /// <summary>Whether a text is valid UTF-16: no surrogate lacks its partner.</summary>
    public static bool IsValid(ReadOnlySpan<char> text)
    {
        for (var at = text.IndexOfAnyInRange('\uD800', '\uDFFF'); at >= 0;)
        {
            if (Rune.DecodeFromUtf16(text[at..], out _, out _) != OperationStatus.Done)
            {
                return false;
            }

            text = text[(at + 2)..];
            at = text.IndexOfAnyInRange('\uD800', '\uDFFF');
        }

        return true;
    }

    /// <summary>The text of some bytes; what is neither UTF-8 nor a lone surrogate becomes U+FFFD, as in .NET's own decoder.</summary>
    public static string Decode(ReadOnlySpan<byte> bytes)
    {
        if (Utf8.IsValid(bytes))
        {
            return Encoding.UTF8.GetString(bytes);
        }

        var text = new StringBuilder(bytes.Length);
        while (bytes.Length > 0)
        {
            if (IsSurrogate(bytes))
            {
                text.Append((char)(0xD000 | ((bytes[1] & 0x3F) << 6) | (bytes[2] & 0x3F)));
                bytes = bytes[3..];
                continue;
            }

            Rune.DecodeFromUtf8(bytes, out var rune, out var used);
            text.Append(rune);
            bytes = bytes[used..];
        }

        return text.ToString();
    }

    /// <summary>How many of the bytes spell characters that nothing after them can change: the rest begins a character that is not complete.</summary>
    public static int CompleteLength(ReadOnlySpan<byte> bytes)
    {
        // The longest beginning is that of a pair of surrogates, three bytes each, without its last one.
        for (var start = Math.Max(0, bytes.Length - 5); start < bytes.Length; start++)
        {
            if (IsBeginning(bytes[start..]))
            {
                return start;
            }
        }

        return bytes.Length;
    }

    private static bool IsBeginning(ReadOnlySpan<byte> bytes) =>
        (bytes.Length < 4 && Rune.DecodeFromUtf8(bytes, out _, out var used) == OperationStatus.NeedMoreData && used == bytes.Length)
        || (bytes.Length == 2 && bytes[0] == SurrogateLead && bytes[1] is >= 0xA0 and <= 0xBF)
        // The first half of a pair, whose second half may follow, or has begun to.
        || (bytes.Length is 3 or 4 or 5 && IsSurrogate(bytes) && bytes[1] < 0xB0
            && (bytes.Length < 4 || bytes[3] == SurrogateLead) && (bytes.Length < 5 || bytes[4] is >= 0xB0 and <= 0xBF));

    private static bool IsSurrogate(ReadOnlySpan<byte> bytes) =>
        bytes.Length >= 3 && bytes[0] == SurrogateLead && bytes[1] is >= 0xA0 and <= 0xBF && (bytes[2] & 0xC0) == 0x80;
}
