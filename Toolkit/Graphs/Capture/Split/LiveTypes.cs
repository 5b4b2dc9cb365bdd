using System.Collections;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace Toolkit.Graphs.Capture;

/// <summary>Which objects of a call can be made again from what they consist of.</summary>
internal static class LiveTypes
{
    private const BindingFlags Own = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
    private static readonly ConditionalWeakTable<Type, FieldInfo[]> _fields = [];

    /// <summary>All fields of an object or value, those of its base classes too.</summary>
    public static FieldInfo[] FieldsOf(Type type) => _fields.GetValue(type, key =>
    {
        var all = new List<FieldInfo>();
        for (var level = key; level is not null && level != typeof(object) && level != typeof(ValueType); level = level.BaseType)
        {
            all.AddRange(level.GetFields(Own));
        }

        return [.. all];
    });

    /// <summary>Whether an object is its fields and nothing else: a class of the program, a tuple, a value.</summary>
    public static bool IsItsFields(Type type)
    {
        if (type.IsValueType)
        {
            return !type.IsByRefLike && Array.TrueForAll(FieldsOf(type), field => !field.FieldType.IsPointer && field.FieldType != typeof(nint) && field.FieldType != typeof(nuint));
        }

        if (type.IsAssignableTo(typeof(ITuple)))
        {
            return true;
        }

        for (var level = type; level != typeof(object); level = level.BaseType!)
        {
            if (level is null || level.Assembly == typeof(object).Assembly || level.Assembly == TorchSharpApi.Assembly || level.Namespace?.StartsWith("System", StringComparison.Ordinal) == true
                || level.GetMethod("Finalize", Own) is not null)
            {
                return false;
            }
        }

        return !typeof(TorchSharp.torch.nn.Module).IsAssignableFrom(type);
    }

    /// <summary>Whether a type is a list or a dictionary of .NET.</summary>
    public static bool Is(Type type, Type definition) => type.IsGenericType && type.GetGenericTypeDefinition() == definition;

    /// <summary>Where a collection, or what goes through one, counts changes.</summary>
    public static FieldInfo? VersionOf(Type type) => type.Namespace == "System.Collections.Generic" ? Array.Find(FieldsOf(type), field => field.Name == "_version") : null;

    /// <summary>The collection that something goes through.</summary>
    public static FieldInfo? CollectionOf(Type type) => Array.Find(FieldsOf(type), field => field.Name is "_list" or "_dictionary" or "_stack" or "_queue" or "_q" or "_set" or "_hashSet" && typeof(IEnumerable).IsAssignableFrom(field.FieldType));

    /// <summary>Whether nobody can tell one such object from another that is equal.</summary>
    public static bool IsImmutable(object value) => value is string or Type or MemberInfo or IComparer or IFormatProvider or TorchSharp.Scalar or TorchSharp.torch.Device or Version or Uri or TimeSpan or DateTime
        || value.GetType() is { IsPrimitive: true } or { IsEnum: true } || value is decimal or System.Text.Encoding or Assembly
        || (value.GetType().Namespace == "System.Collections.Generic" && value.GetType().Name.Contains("Comparer", StringComparison.Ordinal));

    /// <summary>Whether a delegate keeps nothing of the call: what it is bound to is nothing, or what compilers make to hold lambdas that capture nothing.</summary>
    public static bool IsUnbound(Delegate function) => function.GetInvocationList().Length == 1 && (function.Target is null || function.Target.GetType().Name == "<>c");
}
