using System.Reflection;

namespace Toolkit.Graphs.Il;

/// <summary>A value of a ref struct of the program, which no box may hold: its fields.</summary>
internal sealed class RefStructValue(Type type)
{
    private readonly Dictionary<string, StackValue> _fields = [];

    public Type Type => type;

    public StackValue this[FieldInfo field]
    {
        get => _fields.TryGetValue(field.Name, out var value) ? value : StackValue.Default(field.FieldType);
        set => _fields[field.Name] = value.As(field.FieldType);
    }

    public RefStructValue Copy()
    {
        var copy = new RefStructValue(type);
        foreach (var (name, value) in _fields)
        {
            copy._fields[name] = value;
        }

        return copy;
    }
}
