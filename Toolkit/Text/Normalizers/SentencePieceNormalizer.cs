using System.Text;

namespace Toolkit.Text;

/// <summary>What SentencePiece does to a text: replaces characters by its map, removes spaces, puts one in front, writes them as ▁.</summary>
internal sealed class SentencePieceNormalizer : Normalizer
{
    private static readonly byte[] _visibleSpace = Encoding.UTF8.GetBytes("▁");
    private readonly SentencePieceFile _file;
    private readonly PieceTrie? _kept;

    /// <param name="file">The model.</param>
    /// <param name="kept">Texts that are left as they are.</param>
    public SentencePieceNormalizer(SentencePieceFile file, IReadOnlyCollection<string> kept)
    {
        _file = file;
        _kept = kept.Count == 0 ? null : new();
        foreach (var text in kept)
        {
            // By bytes, as the rest of the work is.
            _kept!.Add(Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(text)), 0);
        }
    }

    public override string Normalize(string text)
    {
        var rest = Wtf8.Encode(text).AsSpan();
        var made = new List<byte>(rest.Length + 8);
        var space = _file.EscapeSpaces ? _visibleSpace : " "u8;
        for (var leading = true; _file.RemoveExtraSpaces && leading && rest.Length > 0;)
        {
            leading = Prefix(rest, out var used) is [(byte)' '];
            rest = leading ? rest[used..] : rest;
        }

        if (rest.IsEmpty)
        {
            return "";
        }

        if (_file.AddDummyPrefix && !_file.SpaceIsSuffix)
        {
            made.AddRange(space);
        }

        for (var afterSpace = _file.RemoveExtraSpaces; rest.Length > 0;)
        {
            var part = Prefix(rest, out var used);
            while (afterSpace && part is [(byte)' ', ..])
            {
                part = part[1..];
            }

            foreach (var value in part)
            {
                if (value == ' ')
                {
                    made.AddRange(space);
                }
                else
                {
                    made.Add(value);
                }
            }

            afterSpace = _file.RemoveExtraSpaces && (part.IsEmpty ? afterSpace : part[^1] == ' ');
            rest = rest[used..];
        }

        while (_file.RemoveExtraSpaces && System.Runtime.InteropServices.CollectionsMarshal.AsSpan(made).EndsWith(space))
        {
            made.RemoveRange(made.Count - space.Length, space.Length);
        }

        if (_file.AddDummyPrefix && _file.SpaceIsSuffix)
        {
            made.AddRange(space);
        }

        return Wtf8.Decode(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(made));
    }

    /// <summary>What the beginning of a text becomes, and how many bytes that beginning has.</summary>
    private ReadOnlySpan<byte> Prefix(ReadOnlySpan<byte> text, out int used)
    {
        if (_kept is not null && Kept(text) is > 0 and var length)
        {
            used = length;
            return text[..length];
        }

        if (_file.CharacterMap is { } map && map.Replacement(text, shortest: false, out used) is var replacement && used > 0)
        {
            return replacement;
        }

        used = text[0] < 0x80 ? 1 : Math.Min(text.Length, text[0] < 0xE0 ? 2 : text[0] < 0xF0 ? 3 : 4);
        return text[..used];
    }

    private int Kept(ReadOnlySpan<byte> text)
    {
        var (node, found) = (_kept!.Root, 0);
        for (var i = 0; i < text.Length && _kept.Next(node, (char)text[i], out node); i++)
        {
            found = _kept.Id(node) >= 0 ? i + 1 : found;
        }

        return found;
    }
}
