using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Toolkit.Text;

namespace Toolkit.Data;

/// <summary>Documents as one stream of token ids: what a model trains on and is evaluated on.</summary>
public sealed class TokenizedCorpus
{
    private readonly int[] _tokenBytes;
    private readonly Lazy<string> _fingerprint;

    private TokenizedCorpus(int[] ids, int[] tokenBytes)
    {
        (Ids, _tokenBytes) = (ids, tokenBytes);
        _fingerprint = new(() => Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes<int>(ids))));
        Bytes = BytesOf(0, ids.Length);
    }

    /// <summary>The ids of all documents, the end-of-text id behind each document (where the tokenizer has one).</summary>
    public int[] Ids { get; }

    /// <summary>UTF-8 bytes of text that the ids spell; special tokens spell none.</summary>
    public long Bytes { get; }

    /// <summary>SHA-256 of the ids: a run that is resumed must find the same.</summary>
    public string Fingerprint => _fingerprint.Value;

    /// <summary>Tokenizes documents, on all cores.</summary>
    public static TokenizedCorpus From(Tokenizer tokenizer, IEnumerable<string> documents)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        var encoded = documents.AsParallel().AsOrdered().WithCancellation(Interruption.Token).Select(document => tokenizer.Encode(document)).ToArray();
        var separator = tokenizer.EndOfTextId;
        var ids = new int[encoded.Sum(document => document.Length + (separator < 0 ? 0 : 1))];
        var end = 0;
        foreach (var document in encoded)
        {
            document.CopyTo(ids, end);
            end += document.Length;
            if (separator >= 0)
            {
                ids[end++] = separator;
            }
        }

        return new TokenizedCorpus(ids, [.. Enumerable.Range(0, tokenizer.VocabularySize).Select(id => tokenizer.TokenBytes(id).Length)]);
    }

    /// <summary>A stream of ids made elsewhere.</summary>
    /// <param name="ids">The ids.</param>
    /// <param name="tokenBytes">UTF-8 bytes that each id of the vocabulary spells.</param>
    /// <exception cref="ArgumentException">An id is outside the vocabulary.</exception>
    public static TokenizedCorpus FromIds(int[] ids, IReadOnlyList<int> tokenBytes)
    {
        foreach (var (position, id) in ids.Index())
        {
            if ((uint)id >= (uint)tokenBytes.Count)
            {
                throw new ArgumentException($"id {id} at position {position} is outside of the vocabulary of {tokenBytes.Count}", nameof(ids));
            }
        }

        return new TokenizedCorpus(ids, [.. tokenBytes]);
    }

    /// <summary>UTF-8 bytes that <paramref name="count"/> ids from <paramref name="start"/> on spell.</summary>
    public long BytesOf(int start, int count)
    {
        var bytes = 0L;
        foreach (var id in Ids.AsSpan(start, count))
        {
            bytes += _tokenBytes[id];
        }

        return bytes;
    }
}
