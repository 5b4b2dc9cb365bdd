namespace Toolkit.Text;

/// <summary>
/// Turns tokens into text as they come, never half a character: what it has returned together is what <see cref="Tokenizer.Decode"/> gives
/// for all tokens at once.
/// </summary>
/// <param name="tokenizer">The tokenizer.</param>
/// <param name="skipSpecialTokens">Whether special tokens are left out.</param>
public sealed class IncrementalDecoder(Tokenizer tokenizer, bool skipSpecialTokens = false)
{
    private readonly List<byte> _pending = [];

    /// <summary>Takes a token and returns the text that became complete with it, which may be empty.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such token.</exception>
    public string Append(int id)
    {
        _pending.AddRange(tokenizer.Spelling(id, skipSpecialTokens));
        return Take(Wtf8.CompleteLength(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_pending)));
    }

    /// <summary>Returns what is left: an incomplete character becomes U+FFFD.</summary>
    public string Flush() => Take(_pending.Count);

    private string Take(int length)
    {
        var text = Wtf8.Decode(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_pending)[..length]);
        _pending.RemoveRange(0, length);
        return text;
    }
}
