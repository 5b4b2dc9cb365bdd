using System.Runtime.InteropServices;

namespace Toolkit.Text;

/// <summary>
/// Turns tokens into text as they come, never half a character: what it has returned together is what <see cref="Tokenizer.Decode"/> gives for all tokens
/// at once (where tokens of bytes make no UTF-8, that may show U+FFFD for bytes that were shown already).
/// </summary>
/// <param name="tokenizer">The tokenizer.</param>
/// <param name="skipSpecialTokens">Whether special tokens are left out.</param>
public sealed class IncrementalDecoder(Tokenizer tokenizer, bool skipSpecialTokens = false)
{
    private readonly List<byte> _pending = [];
    private readonly List<int> _window = [];
    private int _shownIds;
    private string _shown = "";

    /// <summary>Takes a token and returns the text that became complete with it, which may be empty.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such token.</exception>
    public string Append(int id)
    {
        if (tokenizer.IsByteLevel)
        {
            _pending.AddRange(tokenizer.Spelling(id, skipSpecialTokens));
            return Take(Wtf8.CompleteLength(CollectionsMarshal.AsSpan(_pending)));
        }

        _window.Add(id);
        var text = tokenizer.Decode(CollectionsMarshal.AsSpan(_window), skipSpecialTokens);
        return text.EndsWith('\uFFFD') ? "" : Show(text);
    }

    /// <summary>Returns what is left: an incomplete character becomes U+FFFD.</summary>
    public string Flush()
    {
        if (tokenizer.IsByteLevel)
        {
            return Take(_pending.Count);
        }

        var rest = Show(tokenizer.Decode(CollectionsMarshal.AsSpan(_window), skipSpecialTokens));
        _window.Clear();
        (_shownIds, _shown) = (0, "");
        return rest;
    }

    private string Take(int length)
    {
        var text = Wtf8.Decode(CollectionsMarshal.AsSpan(_pending)[..length]);
        _pending.RemoveRange(0, length);
        return text;
    }

    /// <summary>Returns what a window of tokens shows more than its first part did, and moves the window on: decoders look one token back at most.</summary>
    private string Show(string text)
    {
        var fresh = text.StartsWith(_shown, StringComparison.Ordinal) ? text[_shown.Length..]
            : tokenizer.Decode(CollectionsMarshal.AsSpan(_window)[_shownIds..], skipSpecialTokens);
        if (fresh.Length == 0)
        {
            return "";
        }

        _window.RemoveRange(0, _shownIds);
        var first = tokenizer.Decode(CollectionsMarshal.AsSpan(_window), skipSpecialTokens);
        if (first.Length == 0)
        {
            // These tokens show nothing when they come first: they need what was before them.
            (_shownIds, _shown) = (0, "");
        }
        else
        {
            (_shownIds, _shown) = (_window.Count, first);
        }

        return fresh;
    }
}
