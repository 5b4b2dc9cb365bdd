namespace Toolkit.Data;

/// <summary>A small generator whose numbers are the same on every platform and runtime (Steele, Lea and Flood, 2014).</summary>
internal struct SplitMix64
{
    private ulong _state;

    /// <summary>The stream number <paramref name="stream"/> of a seed.</summary>
    public SplitMix64(ulong seed, ulong stream)
    {
        _state = seed;
        _state = Next() ^ (stream * 0xD1342543DE82EF95UL);
    }

    public ulong Next()
    {
        var z = _state += 0x9E3779B97F4A7C15UL;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }

    /// <summary>A number below <paramref name="limit"/>, by the high half of a product: its bias is below limit / 2⁶⁴.</summary>
    public int Below(int limit) => (int)Math.BigMul(Next(), (ulong)limit, out _);
}
