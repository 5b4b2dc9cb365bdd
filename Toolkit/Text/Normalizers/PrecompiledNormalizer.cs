using System.Globalization;
using System.Text;

namespace Toolkit.Text;

/// <summary>
/// SentencePiece's compiled replacements as Hugging Face's tokenizers applies them: to what a reader sees as one character where it is short, by its
/// shortest beginning that has a replacement, and to single code points otherwise.
/// </summary>
internal sealed class PrecompiledNormalizer(CharacterMap? map) : Normalizer
{
    private const int LongestWhole = 6;

    public override string Normalize(string text)
    {
        if (map is null)
        {
            return text;
        }

        var made = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length;)
        {
            var length = StringInfo.GetNextTextElementLength(text, i);
            var bytes = Wtf8.Encode(text.AsSpan(i, length));
            if (bytes.Length < LongestWhole && map.Replacement(bytes, shortest: true, out var used) is var whole && used > 0)
            {
                made.Append(Encoding.UTF8.GetString(whole));
            }
            else
            {
                EachPoint(text.AsSpan(i, length), made);
            }

            i += length;
        }

        return made.ToString();
    }

    private void EachPoint(ReadOnlySpan<char> text, StringBuilder made)
    {
        for (var i = 0; i < text.Length;)
        {
            Characters.At(text, i, out var length);
            var part = text.Slice(i, length);
            var replacement = map!.Replacement(Wtf8.Encode(part), shortest: true, out var used);
            _ = used > 0 ? made.Append(Encoding.UTF8.GetString(replacement)) : made.Append(part);
            i += length;
        }
    }
}
