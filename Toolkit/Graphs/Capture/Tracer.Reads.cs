using System.Reflection;
using System.Runtime.CompilerServices;
using Toolkit.Graphs.Il;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <content>What the call reads from outside, and what it leaves there.</content>
internal sealed partial class Tracer
{
    private readonly HashSet<(object? Owner, FieldInfo Field)> _seen = [];
    private readonly List<(object? Owner, FieldInfo Field, object? Before)> _written = [];

    /// <inheritdoc/>
    public override void Reading(object? owner, FieldInfo field)
    {
        if (!IsOpening || IsOurs(owner, field) || _seen.Contains((owner, field)) || EndsAtChanging(field) || EndsAtDynamic(field) || !_seen.Add((owner, field)))
        {
            return;
        }

        if (owner is null)
        {
            RuntimeHelpers.RunClassConstructor(field.DeclaringType!.TypeHandle);
        }

        if (owner is not null && _given.TryGetValue(owner, out var start))
        {
            WatchArgument(start.Then(field), field.GetValue(owner));
            return;
        }

        var path = AccessPath.Field(owner, field);
        if (owner is null && field.IsInitOnly && field.GetValue(null) is not Tensor and var constant)
        {
            MarkOuter(constant); // it cannot become another object
            return;
        }

        Watch(path, field.GetValue(owner));
    }

    /// <inheritdoc/>
    public override void Writing(object? owner, FieldInfo field)
    {
        if (!IsOpening || IsOurs(owner, field))
        {
            return;
        }

        Pin(owner);

        // What is read after this is what was written.
        _seen.Add((owner, field));
        if (!_written.Any(entry => ReferenceEquals(entry.Owner, owner) && entry.Field == field))
        {
            _written.Add((owner, field, field.GetValue(owner)));
        }
    }

    /// <inheritdoc/>
    public override void ReadingElement(Array array)
    {
        if (IsOpening && IsOuter(array))
        {
            WatchContents(array);
        }
    }

    /// <inheritdoc/>
    public override void WritingElement(Array array)
    {
        if (IsOpening && (_outer.Contains(array) || _givenCollections.Contains(array) || _given.ContainsKey(array)) && !_created.Contains(array))
        {
            HasChangedOutside = true;
            End("an array that outlives the call is changed", "keep what stays between calls in a tensor and use copy_");
        }
    }

    /// <summary>Fields that were written.</summary>
    public IReadOnlyList<(object? Owner, FieldInfo Field, object? Before)> Written => _written;

    /// <summary>Whether an object was there before the call, and is kept as it is.</summary>
    public bool KeepsOuter(object value)
    {
        Pin(value);
        return IsOuter(value);
    }

    private bool IsOuter(object value) => _outer.Contains(value) && !_created.Contains(value);

    /// <summary>Puts back what was written to fields.</summary>
    public void Undo()
    {
        for (var i = _written.Count - 1; i >= 0; i--)
        {
            _written[i].Field.SetValue(_written[i].Owner, _written[i].Before);
        }
    }

    /// <summary>A dynamic call goes through a delegate that .NET has made in an earlier call, or makes now.</summary>
    private bool EndsAtDynamic(FieldInfo field)
    {
        if (!typeof(CallSite).IsAssignableFrom(field.DeclaringType))
        {
            return false;
        }

        End(HostApi.DynamicCall.Reason, HostApi.DynamicCall.Advice);
        return true;
    }

    /// <summary>Objects that the call made, and what compilers keep for themselves.</summary>
    private bool IsOurs(object? owner, FieldInfo field) => field.IsLiteral || owner is Tensor or Scalar or Device
        || (owner is null ? field.DeclaringType!.Name.StartsWith("<>", StringComparison.Ordinal) || MemberNames.IsOfCompiler(field.DeclaringType) : _created.Contains(owner));
}
