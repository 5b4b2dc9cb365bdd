using System.Reflection;
using System.Runtime.CompilerServices;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>
/// The guards that look at one member of an object that stays: nearly all there are. They are rows of a table, not code: a method of a thousand conditions takes longer to compile than to
/// interpret the module, and beyond some size .NET no longer optimizes it.
/// </summary>
internal sealed class GuardTable
{
    private readonly List<(object? Owner, Func<object?, object?> Read, object? Expected)> _references = [];
    private readonly List<(object? Owner, Func<object?, long> Read, long Expected)> _numbers = [];
    private readonly List<(object? Owner, Func<object?, object?> Read, string Expected)> _texts = [];
    private readonly List<(object? Owner, Func<object?, object?>? Read, TensorCheck Check, int Place)> _tensors = [];
    private (object? Owner, Func<object?, object?> Read, object? Expected)[] _referenceRows = [];
    private (object? Owner, Func<object?, long> Read, long Expected)[] _numberRows = [];
    private (object? Owner, Func<object?, object?> Read, string Expected)[] _textRows = [];
    private (object? Owner, Func<object?, object?>? Read, TensorCheck Check, int Place)[] _tensorRows = [];

    /// <summary>Takes a guard, if it is of that kind.</summary>
    /// <param name="guard">The guard.</param>
    /// <param name="place">Which input of the graph it reads; -1 for none.</param>
    public bool TryAdd(Guard guard, int place)
    {
        if (guard.Path.IsArgument || guard.Path.Steps.Length > 1 || guard.Path.Steps is [not MemberInfo])
        {
            return false;
        }

        var (owner, member) = (guard.Path.Root, guard.Path.Steps.FirstOrDefault() as MemberInfo);
        switch (guard)
        {
            case TensorGuard tensor when member is null || !MemberReader.TypeOf(member).IsValueType:
                _tensors.Add((owner, member is null ? null : MemberReader.Reference(member), tensor.Check, place));
                return true;
            case IdentityGuard identity when member is not null && !MemberReader.TypeOf(member).IsValueType:
                _references.Add((owner, MemberReader.Reference(member), identity.Expected));
                return true;
            case ValueGuard { Expected: null } when member is not null && !MemberReader.TypeOf(member).IsValueType:
                _references.Add((owner, MemberReader.Reference(member), null));
                return true;
            case ValueGuard { Expected: string text } when member is not null && MemberReader.TypeOf(member) == typeof(string):
                _texts.Add((owner, MemberReader.Reference(member), text));
                return true;
            case ValueGuard { Expected: { } number } when member is not null && MemberReader.IsNumber(MemberReader.TypeOf(member)):
                _numbers.Add((owner, MemberReader.Number(member), MemberReader.Bits(number)));
                return true;
            default:
                return false;
        }
    }

    /// <summary>No more guards come.</summary>
    public void Close() => (_referenceRows, _numberRows, _textRows, _tensorRows) = ([.. _references], [.. _numbers], [.. _texts], [.. _tensors]);

    /// <summary>Whether all hold; collects inputs of the graph.</summary>
    /// <remarks>Optimized at once: a profile of its calls would tell which reader to expect, and a table of hundreds of readers has none to expect.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool Holds(Tensor[] inputs)
    {
        foreach (ref readonly var row in _referenceRows.AsSpan())
        {
            if (!ReferenceEquals(row.Read(row.Owner), row.Expected))
            {
                return false;
            }
        }

        foreach (ref readonly var row in _numberRows.AsSpan())
        {
            if (row.Read(row.Owner) != row.Expected)
            {
                return false;
            }
        }

        foreach (ref readonly var row in _textRows.AsSpan())
        {
            if (!string.Equals((string?)row.Read(row.Owner), row.Expected, StringComparison.Ordinal))
            {
                return false;
            }
        }

        foreach (ref readonly var row in _tensorRows.AsSpan())
        {
            var tensor = (Tensor?)(row.Read is { } read ? read(row.Owner) : row.Owner);
            if (row.Place >= 0)
            {
                inputs[row.Place] = tensor!;
            }

            if (!row.Check.Holds(tensor))
            {
                return false;
            }
        }

        return true;
    }
}
