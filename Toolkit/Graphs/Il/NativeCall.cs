using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;

namespace Toolkit.Graphs.Il;

/// <summary>Calls a method of .NET: by reflection, or, where reflection cannot (spans, a base class's version of a virtual method), by a few emitted instructions.</summary>
internal static class NativeCall
{
    private delegate object? Thunk(object? self, object?[] arguments);

    private static readonly ConditionalWeakTable<MethodBase, Thunk> _virtual = [];
    private static readonly ConditionalWeakTable<MethodBase, Thunk> _direct = [];
    private static readonly ConditionalWeakTable<MethodBase, StrongBox<bool>> _spans = [];

    /// <summary>Calls it. Parameters that are references come back in the array.</summary>
    /// <exception cref="InterpreterException">It takes or returns what only the real stack can hold.</exception>
    public static object? Run(MethodBase method, object? self, object?[] arguments, bool isVirtual)
    {
        var isDirect = !isVirtual && method is { IsVirtual: true, IsStatic: false, IsFinal: false } && self is not null && !method.DeclaringType!.IsValueType
            && self.GetType() != method.DeclaringType;
        if (isDirect || HasSpans(method))
        {
            return (isDirect ? _direct : _virtual).GetValue(method, key => Emit(key, isDirect))(self, arguments);
        }

        return method.Invoke(self, BindingFlags.DoNotWrapExceptions, null, arguments, null);
    }

    /// <summary>Makes an object.</summary>
    public static object? Construct(ConstructorInfo constructor, object?[] arguments) =>
        HasSpans(constructor) ? _virtual.GetValue(constructor, key => Emit(key, false))(null, arguments) : constructor.Invoke(BindingFlags.DoNotWrapExceptions, null, arguments, null);

    private static bool HasSpans(MethodBase method) => _spans.GetValue(method, key => new(FindSpans(key))).Value;

    private static bool FindSpans(MethodBase method) =>
        method.GetParameters().Any(parameter => parameter.ParameterType.IsByRefLike || parameter.ParameterType is { IsByRef: true } and var reference
            && reference.GetElementType()!.IsByRefLike) || method is MethodInfo { ReturnType.IsByRefLike: true };

    private static Thunk Emit(MethodBase method, bool isDirect)
    {
        var thunk = new DynamicMethod("call " + method.Name, typeof(object), [typeof(object), typeof(object[])], typeof(NativeCall).Module, skipVisibility: true);
        var code = thunk.GetILGenerator();
        if (!method.IsStatic && !method.IsConstructor)
        {
            code.Emit(OpCodes.Ldarg_0);
            code.Emit(method.DeclaringType!.IsValueType ? OpCodes.Unbox : OpCodes.Castclass, method.DeclaringType);
        }

        var references = new List<(int Index, LocalBuilder Local)>();
        foreach (var parameter in method.GetParameters())
        {
            LoadArgument(code, parameter, references);
        }

        if (method is ConstructorInfo constructor)
        {
            code.Emit(OpCodes.Newobj, constructor);
            Box(code, constructor.DeclaringType!);
        }
        else
        {
            code.Emit(isDirect || method.IsStatic || method.DeclaringType!.IsValueType ? OpCodes.Call : OpCodes.Callvirt, (MethodInfo)method);
            Box(code, ((MethodInfo)method).ReturnType);
        }

        foreach (var (index, local) in references)
        {
            code.Emit(OpCodes.Ldarg_1);
            code.Emit(OpCodes.Ldc_I4, index);
            code.Emit(OpCodes.Ldloc, local);
            Box(code, local.LocalType);
            code.Emit(OpCodes.Stelem_Ref);
        }

        code.Emit(OpCodes.Ret);
        return thunk.CreateDelegate<Thunk>();
    }

    private static void LoadArgument(ILGenerator code, ParameterInfo parameter, List<(int Index, LocalBuilder Local)> references)
    {
        var type = parameter.ParameterType;
        code.Emit(OpCodes.Ldarg_1);
        code.Emit(OpCodes.Ldc_I4, parameter.Position);
        code.Emit(OpCodes.Ldelem_Ref);
        if (type.IsByRef)
        {
            var local = code.DeclareLocal(type.GetElementType()!);
            Unbox(code, local.LocalType);
            code.Emit(OpCodes.Stloc, local);
            code.Emit(OpCodes.Ldloca, local);
            references.Add((parameter.Position, local));
        }
        else
        {
            Unbox(code, type);
        }
    }

    private static void Unbox(ILGenerator code, Type type)
    {
        if (SpanValue.IsSpan(type))
        {
            var name = type.GetGenericTypeDefinition() == typeof(Span<>) ? nameof(SpanValue.ToSpan) : nameof(SpanValue.ToReadOnlySpan);
            code.Emit(OpCodes.Call, typeof(SpanValue).GetMethod(name)!.MakeGenericMethod(type.GetGenericArguments()));
        }
        else if (type.IsByRefLike || type.IsPointer)
        {
            throw new InterpreterException($"a call that is given {type.Name}, which only the real stack can hold");
        }
        else
        {
            code.Emit(OpCodes.Unbox_Any, type);
        }
    }

    private static void Box(ILGenerator code, Type type)
    {
        if (type == typeof(void))
        {
            code.Emit(OpCodes.Ldnull);
        }
        else if (SpanValue.IsSpan(type) && type.GetGenericTypeDefinition() == typeof(ReadOnlySpan<>))
        {
            code.Emit(OpCodes.Call, typeof(SpanValue).GetMethod(nameof(SpanValue.FromReadOnlySpan))!.MakeGenericMethod(type.GetGenericArguments()));
        }
        else if (type.IsByRefLike || type.IsByRef || type.IsPointer)
        {
            throw new InterpreterException($"a call that returns {type.Name}, which only the real stack can hold");
        }
        else if (type.IsValueType)
        {
            code.Emit(OpCodes.Box, type);
        }
    }
}
