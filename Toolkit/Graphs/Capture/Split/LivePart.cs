using System.Collections;
using System.Reflection;
using System.Runtime.CompilerServices;
using Toolkit.Graphs.Il;

namespace Toolkit.Graphs.Capture;

/// <summary>How a value that is alive at a break is made again in a later call.</summary>
internal abstract class LivePart
{
    /// <summary>Makes it.</summary>
    public abstract object? Make(Filling filling);
}

/// <summary>What stays.</summary>
internal sealed class ConstantPart(object? value) : LivePart
{
    public override object? Make(Filling filling) => value;
}

/// <summary>A tensor.</summary>
internal sealed class TensorPart(int hole) : LivePart
{
    public override object? Make(Filling filling) => filling.Tensors(hole);
}

/// <summary>What the call was given.</summary>
internal sealed class GivenPart(int index) : LivePart
{
    public override object? Make(Filling filling) => filling.Live[index];
}

/// <summary>An object in what was alive where the graph began.</summary>
internal sealed class PathPart(AccessPath path) : LivePart
{
    public override object? Make(Filling filling)
    {
        var value = path.Read(filling.Live)!;
        filling.Call.Given.Add(value);
        return value;
    }
}

/// <summary>A scope that the call opened.</summary>
internal sealed class RegimePart(int index) : LivePart
{
    public override object? Make(Filling filling) => filling.Call.Regimes[index].Value;
}

/// <summary>A managed reference to a variable.</summary>
internal sealed class ReferencePart(SlotReference reference) : LivePart
{
    public override object? Make(Filling filling)
    {
        var frame = filling.Frames[reference.Slot.Frame];
        return new SlotLocation(reference.Slot.Kind == SlotKind.Local ? frame.Locals : frame.Arguments, reference.Slot.Index, reference.Type);
    }
}

/// <summary>The text of an interpolated string so far.</summary>
internal sealed class TextPart(string text) : LivePart
{
    public override object? Make(Filling filling)
    {
        var made = new InterpolatedText();
        made.Append(text);
        return made;
    }
}

/// <summary>An object that others may refer to.</summary>
internal abstract class SharedPart(int index) : LivePart
{
    public override object? Make(Filling filling)
    {
        if (filling.Objects[index] is { } known)
        {
            return known;
        }

        var made = Begin(filling);
        filling.Objects[index] = made;
        filling.Call.Created.Add(made);
        Complete(made, filling);
        return made;
    }

    protected abstract object Begin(Filling filling);

    protected virtual void Complete(object made, Filling filling)
    {
    }
}

/// <summary>Another reference to an object.</summary>
internal sealed class AgainPart(IReadOnlyList<LivePart?> parts, int index) : LivePart
{
    public override object? Make(Filling filling) => filling.Objects[index] ?? parts[index]!.Make(filling);
}

/// <summary>An array.</summary>
internal sealed class ArrayPart(int index, Type element, LivePart[] items) : SharedPart(index)
{
    protected override object Begin(Filling filling) => Array.CreateInstance(element, items.Length);

    protected override void Complete(object made, Filling filling)
    {
        for (var i = 0; i < items.Length; i++)
        {
            ((Array)made).SetValue(items[i].Make(filling), i);
        }
    }
}

/// <summary>A list.</summary>
internal sealed class ListPart(int index, Type type, LivePart[] items) : SharedPart(index)
{
    protected override object Begin(Filling filling) => Activator.CreateInstance(type)!;

    protected override void Complete(object made, Filling filling)
    {
        foreach (var item in items)
        {
            ((IList)made).Add(item.Make(filling));
        }
    }
}

/// <summary>A dictionary.</summary>
internal sealed class DictionaryPart(int index, Type type, object? comparer, LivePart[] keys, LivePart[] values) : SharedPart(index)
{
    protected override object Begin(Filling filling) => Activator.CreateInstance(type, comparer)!;

    protected override void Complete(object made, Filling filling)
    {
        for (var i = 0; i < keys.Length; i++)
        {
            ((IDictionary)made).Add(keys[i].Make(filling)!, values[i].Make(filling));
        }
    }
}

/// <summary>A delegate.</summary>
internal sealed class DelegatePart(int index, Type type, MethodInfo method, LivePart target) : SharedPart(index)
{
    protected override object Begin(Filling filling) => Delegate.CreateDelegate(type, target.Make(filling), method);
}

/// <summary>An object or a value, field by field.</summary>
internal sealed class FieldsPart(int index, Type type, (FieldInfo Field, LivePart Value)[] fields) : SharedPart(index)
{
    protected override object Begin(Filling filling) => RuntimeHelpers.GetUninitializedObject(type);

    protected override void Complete(object made, Filling filling)
    {
        foreach (var (field, value) in fields)
        {
            field.SetValue(made, value.Make(filling));
        }

        Renew(made);
    }

    /// <summary>A collection counts its changes, and what goes through it remembers the count: the collection that is there now has another.</summary>
    private void Renew(object made)
    {
        if (LiveTypes.VersionOf(type) is { } version && LiveTypes.CollectionOf(type)?.GetValue(made) is { } collection && LiveTypes.VersionOf(collection.GetType()) is { } current)
        {
            version.SetValue(made, current.GetValue(collection));
        }
    }
}
