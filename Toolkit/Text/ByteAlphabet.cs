namespace Toolkit.Text;

/// <summary>The 256 printable characters that byte-level vocabularies are spelt with, one a byte (Radford et al., 2019, GPT-2).</summary>
internal static class ByteAlphabet
{
    private static readonly char[] _characters = Build();
    private static readonly Dictionary<char, byte> _bytes = _characters.Index().ToDictionary(pair => pair.Item, pair => (byte)pair.Index);

    /// <summary>The character that stands for a byte.</summary>
    public static char Of(byte value) => _characters[value];

    /// <summary>Bytes as they are spelt in a vocabulary.</summary>
    public static string Spell(ReadOnlySpan<byte> bytes) => string.Create(bytes.Length, bytes, (characters, source) =>
    {
        for (var i = 0; i < source.Length; i++)
        {
            characters[i] = _characters[source[i]];
        }
    });

    /// <summary>The bytes that a vocabulary entry spells, or null where it has a character that stands for no byte.</summary>
    public static byte[]? Read(string token)
    {
        var bytes = new byte[token.Length];
        for (var i = 0; i < token.Length; i++)
        {
            if (!_bytes.TryGetValue(token[i], out bytes[i]))
            {
                return null;
            }
        }

        return bytes;
    }

    /// <summary>Bytes that print in Latin-1 stand for themselves, the others for the characters from U+0100 on.</summary>
    private static char[] Build()
    {
        var next = 0x100;
        return [.. Enumerable.Range(0, 256).Select(value => (char)(value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE ? value : next++))];
    }
}
