using System.Reflection;

namespace Toolkit.Graphs.Il;

/// <summary>A place that a managed reference points to.</summary>
internal abstract class Location
{
    /// <summary>What is there.</summary>
    public abstract StackValue Load();

    /// <summary>Puts something there.</summary>
    public abstract void Store(StackValue value);

    /// <summary>Type of the place.</summary>
    public abstract Type Type { get; }

    /// <summary>Whether two references point to the same place, as far as can be told.</summary>
    public virtual bool IsSame(Location other) => ReferenceEquals(this, other);

    /// <summary>Changes one field of the value that is there.</summary>
    public virtual void StoreField(FieldInfo field, StackValue value)
    {
        var current = Load().Reference;
        if (current is RefStructValue bag)
        {
            bag[field] = value;
            return;
        }

        // Boxes of values are never changed once they are on the stack or in a place: a changed copy takes their place.
        var copy = ObjectCopy.Of(current ?? throw new NullReferenceException());
        field.SetValue(copy, value.ToObject(field.FieldType));
        Store(StackValue.Struct(copy));
    }
}

/// <summary>A local variable or an argument.</summary>
internal sealed class SlotLocation(StackValue[] slots, int index, Type type) : Location
{
    public override Type Type => type;

    public override StackValue Load() => slots[index];

    public override void Store(StackValue value) => slots[index] = value.As(type);

    /// <summary>The variables of the call that it is one of.</summary>
    public StackValue[] Slots => slots;

    /// <summary>Its number.</summary>
    public int Index => index;

    public override bool IsSame(Location other) => other is SlotLocation slot && slot.Is(slots, index);

    private bool Is(StackValue[] others, int other) => ReferenceEquals(others, slots) && other == index;
}

/// <summary>An element of an array.</summary>
internal sealed class ElementLocation(Array array, long index, Action<Array>? writing = null) : Location
{
    public override Type Type { get; } = array.GetType().GetElementType()!;

    public override StackValue Load() => StackValue.From(array.GetValue(index), Type);

    public override void Store(StackValue value)
    {
        writing?.Invoke(array);
        array.SetValue(value.ToObject(Type), index);
    }

    public override bool IsSame(Location other) => other is ElementLocation element && element.Is(array, index);

    private bool Is(Array others, long other) => ReferenceEquals(others, array) && other == index;
}

/// <summary>A field of an object, of a value that is somewhere, or of a type.</summary>
/// <param name="owner">The object, the <see cref="Location"/> of the value, or null for a static field.</param>
/// <param name="member">The field.</param>
/// <param name="reading">Told before the field is read.</param>
/// <param name="writing">Told before the field is changed.</param>
internal sealed class FieldLocation(object? owner, FieldInfo member, Action<object?, FieldInfo> reading, Action<object?, FieldInfo> writing) : Location
{
    public override Type Type => member.FieldType;

    /// <summary>Whose field it is.</summary>
    public object? Owner => owner;

    /// <summary>The field.</summary>
    public FieldInfo Field => member;

    public override StackValue Load()
    {
        if (owner is Location place)
        {
            var value = place.Load().Reference;
            return value is RefStructValue bag ? bag[member] : StackValue.From(member.GetValue(value ?? throw new NullReferenceException()), member.FieldType);
        }

        reading(owner, member);
        return StackValue.From(member.GetValue(owner), member.FieldType);
    }

    public override void Store(StackValue value)
    {
        if (owner is Location place)
        {
            place.StoreField(member, value.As(member.FieldType));
            return;
        }

        writing(owner, member);
        member.SetValue(owner, value.ToObject(member.FieldType));
    }

    public override bool IsSame(Location other) =>
        other is FieldLocation location && location.Field == member
        && (ReferenceEquals(location.Owner, owner) || (owner is Location mine && location.Owner is Location theirs && mine.IsSame(theirs)));
}

/// <summary>The value in a box that the program holds: changing it changes the box.</summary>
internal sealed class BoxLocation(object box) : Location
{
    /// <summary>The box.</summary>
    public object Box => box;

    public override Type Type => box.GetType();

    public override StackValue Load() => StackValue.From(Type.IsPrimitive || Type.IsEnum ? box : ObjectCopy.Of(box), Type);

    public override void Store(StackValue value) => ObjectCopy.Into(value.ToObject(Type) ?? throw new NullReferenceException(), box);

    public override void StoreField(FieldInfo field, StackValue value) => field.SetValue(box, value.ToObject(field.FieldType));

    public override bool IsSame(Location other) => other is BoxLocation location && location.Is(box);

    private bool Is(object other) => ReferenceEquals(other, box);
}
