using System.IO.Compression;
using System.Text;

namespace Toolkit.Data;

/// <summary>Bytes of a text file, packed or not, to its text.</summary>
internal static class TextFile
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <exception cref="InvalidDataException">The bytes are not gzip where the name says so, or not UTF-8.</exception>
    public static string Decode(byte[] bytes, string path)
    {
        try
        {
            var text = Strict.GetString(path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? Unpack(bytes) : bytes);
            return text.StartsWith('\uFEFF') ? text[1..] : text;
        }
        catch (Exception problem) when (problem is DecoderFallbackException or InvalidDataException)
        {
            throw new InvalidDataException($"{path} cannot be read as text: {problem.Message}", problem);
        }
    }

    /// <summary>The documents of a text: line ends around them are not part of them, and empty ones are none.</summary>
    public static IEnumerable<string> Split(string text, string separator) =>
        text.Split(separator).Select(document => document.Trim('\n', '\r')).Where(document => document.Length > 0);

    private static byte[] Unpack(byte[] bytes)
    {
        using var packed = new GZipStream(new MemoryStream(bytes), CompressionMode.Decompress);
        using var plain = new MemoryStream();
        packed.CopyTo(plain);
        return plain.ToArray();
    }
}
