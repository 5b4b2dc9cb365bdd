using System.Reflection;

namespace Toolkit.Graphs.Il;

/// <summary>Copies the values in boxes.</summary>
internal static class ObjectCopy
{
    private static readonly Func<object, object> _clone =
        typeof(object).GetMethod("MemberwiseClone", BindingFlags.Instance | BindingFlags.NonPublic)!.CreateDelegate<Func<object, object>>();

    /// <summary>Another box with the same value.</summary>
    public static object Of(object box) => box switch
    {
        InlineArrayValue array => array.Copy(),
        RefStructValue bag => bag.Copy(),
        ValueType => _clone(box),
        _ => box,
    };

    /// <summary>Puts a value into a box.</summary>
    public static void Into(object value, object box)
    {
        foreach (var field in box.GetType().GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic))
        {
            field.SetValue(box, field.GetValue(value));
        }
    }
}
