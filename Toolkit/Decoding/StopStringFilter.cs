namespace Toolkit.Decoding;

/// <summary>Passes text on as it comes, but holds back what could be the beginning of a stop string.</summary>
internal sealed class StopStringFilter(IReadOnlyList<string> stopStrings)
{
    private string _pending = "";

    /// <summary>Whether a stop string occurred; nothing passes any more.</summary>
    public bool Stopped { get; private set; }

    /// <summary>Takes more text and returns what can be shown for certain.</summary>
    public string Append(string text)
    {
        if (Stopped || (text.Length == 0 && _pending.Length == 0))
        {
            return "";
        }

        _pending += text;
        var stop = FirstStop();
        Stopped = stop >= 0;
        var show = Stopped ? stop : _pending.Length - HeldBack();
        var shown = _pending[..show];
        _pending = Stopped ? "" : _pending[show..];
        return shown;
    }

    /// <summary>Returns what was held back: the text ended, so no stop string can follow.</summary>
    public string Flush()
    {
        var rest = _pending;
        _pending = "";
        return rest;
    }

    private int FirstStop()
    {
        var first = -1;
        foreach (var stop in stopStrings)
        {
            var at = _pending.IndexOf(stop, StringComparison.Ordinal);
            first = at >= 0 && (first < 0 || at < first) ? at : first;
        }

        return first;
    }

    private int HeldBack()
    {
        var held = 0;
        foreach (var stop in stopStrings)
        {
            for (var length = Math.Min(stop.Length - 1, _pending.Length); length > held; length--)
            {
                if (_pending.AsSpan(_pending.Length - length).SequenceEqual(stop.AsSpan(0, length)))
                {
                    held = length;
                    break;
                }
            }
        }

        return held;
    }
}
