using System.Reflection;
using System.Runtime.CompilerServices;

namespace Toolkit.Graphs.Il;

/// <summary>A value whose elements lie in it one after the other, as compilers make for collection expressions.</summary>
internal sealed class InlineArrayValue
{
    public InlineArrayValue(Type type)
        : this(Array.CreateInstance(Element(type).FieldType, type.GetCustomAttribute<InlineArrayAttribute>()!.Length))
    {
    }

    private InlineArrayValue(Array elements) => Elements = elements;

    public Array Elements { get; }

    public static bool IsInlineArray(Type type) => type.IsValueType && type.IsDefined(typeof(InlineArrayAttribute), false);

    public InlineArrayValue Copy() => new((Array)Elements.Clone());

    private static FieldInfo Element(Type type) => type.GetFields(BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public)[0];
}
