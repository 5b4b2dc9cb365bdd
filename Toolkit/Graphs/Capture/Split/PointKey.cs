using System.Runtime.CompilerServices;
using Toolkit.Graphs.Il;

namespace Toolkit.Graphs.Capture;

/// <summary>Where calls stand: the instruction of each, and what is left to be cleaned up.</summary>
internal sealed class PointKey : IEquatable<PointKey>
{
    private readonly (MethodCode Code, int Place, string Cleaning)[] _positions;
    private readonly int _hash;

    private PointKey((MethodCode Code, int Place, string Cleaning)[] positions)
    {
        _positions = positions;
        foreach (var (code, place, _) in positions)
        {
            _hash = HashCode.Combine(_hash, RuntimeHelpers.GetHashCode(code), place);
        }
    }

    /// <summary>Of calls.</summary>
    public static PointKey Of(Frame[] frames)
    {
        var positions = new (MethodCode, int, string)[frames.Length];
        for (var i = 0; i < frames.Length; i++)
        {
            positions[i] = (frames[i].Code, frames[i].Place, frames[i].Unwindings.Count == 0 ? "" : Cleaning(frames[i]));
        }

        return new(positions);
    }

    /// <summary>Whether a call is handling an exception, or has one to throw when what cleans up is done.</summary>
    public static bool IsHandling(Frame frame)
    {
        var offset = frame.Code.Instructions[frame.Place].Offset;
        return frame.Unwindings.Any(unwinding => unwinding.Exception is not null)
            || frame.Caught.Keys.Any(clause => offset >= clause.HandlerOffset && offset < clause.HandlerOffset + clause.HandlerLength);
    }

    /// <inheritdoc/>
    public bool Equals(PointKey? other) => other is not null && other._hash == _hash && other._positions.AsSpan().SequenceEqual(_positions);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as PointKey);

    /// <inheritdoc/>
    public override int GetHashCode() => _hash;

    private static string Cleaning(Frame frame) => string.Join('|', frame.Unwindings.Select(unwinding => $"{unwinding.Target}:{string.Join(',', unwinding.Handlers)}"));
}
