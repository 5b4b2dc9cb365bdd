namespace Toolkit.Graphs.Capture;

/// <content>Graphs that differ in the sizes of dynamic dimensions only.</content>
internal sealed partial class CallCache
{
    private readonly Dictionary<Specialization, Specialization> _sizes = new(ReferenceEqualityComparer.Instance); // the first graph of those that differ in sizes only
    private readonly List<(Specialization Captured, Specialization First, SizeFamily Family)> _families = [];
    private readonly List<string> _ownSizes = [];
    private const int MostOnceOnly = 4;
    private long _instances;
    private int _onceOnly;

    /// <summary>Whether sizes come once each, so that making graphs for them is never made good: a text that grows by a token a call.</summary>
    private bool IsChurning => _onceOnly >= MostOnceOnly * _options.DynamicSizes;

    /// <summary>Takes note of which other sizes a captured call stands for.</summary>
    private void NoteSizes(CaptureRun run, Specialization made, Specialization? first)
    {
        if (run.WhyNoFamily is { } whyNot)
        {
            _ownSizes.Add(whyNot);
        }

        if (run.Family is { } family)
        {
            _families.Add((made, first ?? made, family));
            if (_families.Count > _options.DynamicSizes)
            {
                _families.RemoveAt(0);
            }
        }

        if (first is not null)
        {
            Keep(made, first);
        }
    }

    /// <summary>Sizes that were not used for long are dropped; what they hold goes when the last call that runs them ends.</summary>
    private void Keep(Specialization made, Specialization first)
    {
        _sizes.Add(made, first);
        var all = _sizes.Where(entry => entry.Value == first).Select(entry => entry.Key).ToArray();
        if (all.Length >= _options.DynamicSizes && all.Except([made]).MinBy(entry => entry.LastUse) is { } oldest)
        {
            _onceOnly = oldest.Uses <= 1 ? _onceOnly + 1 : 0;
            _sizes.Remove(oldest);
            _graphs = [.. _graphs.Where(entry => entry != oldest)];
        }
    }

    /// <summary>What stands for a call of which only sizes are new; null where it has to be captured.</summary>
    private Specialization? TryInstance(object?[] arguments)
    {
        if (IsChurning)
        {
            return null;
        }

        foreach (var (captured, first, family) in _families)
        {
            if (captured.Guards.DiffersOnlyIn(family.Dimensions, arguments) && family.TryMake(arguments) is { } made)
            {
                _graphs = [.. _graphs, made];
                _instances++;
                made.LastUse = Interlocked.Increment(ref _clock);
                Keep(made, first);
                return made;
            }
        }

        return null;
    }
}
