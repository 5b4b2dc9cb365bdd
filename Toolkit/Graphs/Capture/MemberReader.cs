using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;

namespace Toolkit.Graphs.Capture;

/// <summary>Reads a field or a getter of an object in a few nanoseconds: emitted once for each member, however many objects and graphs look at it.</summary>
internal static class MemberReader
{
    private static readonly ConditionalWeakTable<MemberInfo, Func<object?, object?>> _references = [];
    private static readonly ConditionalWeakTable<MemberInfo, Func<object?, long>> _numbers = [];

    /// <summary>Type of what a member gives.</summary>
    public static Type TypeOf(MemberInfo member) => member is FieldInfo field ? field.FieldType : ((MethodInfo)member).ReturnType;

    /// <summary>Whether a type is a number whose bits <see cref="Number"/> gives.</summary>
    public static bool IsNumber(Type type) => type.IsEnum || (type.IsPrimitive && type != typeof(nint) && type != typeof(nuint));

    /// <summary>Of a member that gives an object.</summary>
    public static Func<object?, object?> Reference(MemberInfo member) => _references.GetValue(member, key => Emit<Func<object?, object?>>(key, typeof(object), _ => { }));

    /// <summary>Of a member that gives a number, an enumeration, true or false: its bits.</summary>
    public static Func<object?, long> Number(MemberInfo member) => _numbers.GetValue(member, key => Emit<Func<object?, long>>(key, typeof(long), code => ToBits(code, TypeOf(key))));

    /// <summary>The bits of a number.</summary>
    public static long Bits(object number) => number switch
    {
        double real => BitConverter.DoubleToInt64Bits(real),
        float real => BitConverter.SingleToInt32Bits(real),
        ulong integer => unchecked((long)integer),
        bool flag => flag ? 1 : 0,
        char character => character,
        Enum value => Bits(Convert.ChangeType(value, Enum.GetUnderlyingType(value.GetType()), System.Globalization.CultureInfo.InvariantCulture)),
        _ => Convert.ToInt64(number, System.Globalization.CultureInfo.InvariantCulture),
    };

    private static T Emit<T>(MemberInfo member, Type returned, Action<ILGenerator> convert)
        where T : Delegate
    {
        var reader = new DynamicMethod("read " + member.Name, returned, [typeof(object)], typeof(MemberReader).Module, skipVisibility: true);
        var code = reader.GetILGenerator();
        var isStatic = member is FieldInfo { IsStatic: true } or MethodInfo { IsStatic: true };
        if (!isStatic)
        {
            code.Emit(OpCodes.Ldarg_0);
            code.Emit(member.DeclaringType!.IsValueType ? OpCodes.Unbox : OpCodes.Castclass, member.DeclaringType);
        }

        if (member is FieldInfo field)
        {
            code.Emit(isStatic ? OpCodes.Ldsfld : OpCodes.Ldfld, field);
        }
        else
        {
            code.Emit(isStatic || member.DeclaringType!.IsValueType ? OpCodes.Call : OpCodes.Callvirt, (MethodInfo)member);
        }

        convert(code);
        code.Emit(OpCodes.Ret);
        return reader.CreateDelegate<T>();
    }

    private static void ToBits(ILGenerator code, Type type)
    {
        var kind = type.IsEnum ? Enum.GetUnderlyingType(type) : type;
        if (kind == typeof(double))
        {
            code.Emit(OpCodes.Call, typeof(BitConverter).GetMethod(nameof(BitConverter.DoubleToInt64Bits), [typeof(double)])!);
        }
        else if (kind == typeof(float))
        {
            code.Emit(OpCodes.Call, typeof(BitConverter).GetMethod(nameof(BitConverter.SingleToInt32Bits), [typeof(float)])!);
            code.Emit(OpCodes.Conv_I8);
        }
        else
        {
            code.Emit(kind == typeof(byte) || kind == typeof(ushort) || kind == typeof(uint) || kind == typeof(ulong) || kind == typeof(bool) || kind == typeof(char) ? OpCodes.Conv_U8 : OpCodes.Conv_I8);
        }
    }
}
