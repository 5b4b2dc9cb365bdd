using System.Reflection;
using System.Reflection.Metadata;
using System.Runtime.CompilerServices;
using Toolkit.Graphs.Il;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>Whether a module's program may change tensors in place: the methods of its modules, and what they call, are looked through.</summary>
internal static class InPlaceScan
{
    private const BindingFlags All = BindingFlags.Instance | BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
    private static readonly ConditionalWeakTable<nn.Module, StrongBox<bool>> _known = [];

    /// <summary>Whether it may.</summary>
    public static bool Finds(nn.Module module) => _known.GetValue(module, key => new(Search(key))).Value;

    private static bool Search(nn.Module root)
    {
        var observer = new Observer();
        var types = new Queue<Type>();
        var seen = new HashSet<Type>();
        foreach (var module in root.modules().Prepend(root))
        {
            if (module.GetType().Assembly == TorchSharpApi.Assembly)
            {
                if (module.GetType().GetProperty("inplace")?.GetValue(module) is true || LiveTypes.FieldsOf(module.GetType()).Any(field => field.Name.Contains("inplace", StringComparison.OrdinalIgnoreCase) && field.GetValue(module) is true))
                {
                    return true;
                }
            }
            else
            {
                Add(module.GetType());
            }
        }

        while (types.TryDequeue(out var type))
        {
            if (type.GetMethods(All).Cast<MethodBase>().Concat(type.GetConstructors(All)).Any(Changes))
            {
                return true;
            }
        }

        return false;

        void Add(Type? type)
        {
            for (; type is not null && type != typeof(object); type = type.BaseType)
            {
                if (type.Assembly != TorchSharpApi.Assembly && observer.IsProgram(type.Assembly) && seen.Add(type))
                {
                    types.Enqueue(type);
                    foreach (var inner in type.GetNestedTypes(All).Select(inner => Close(inner, type)).OfType<Type>())
                    {
                        Add(inner);
                    }

                    if (type.IsAbstract || type.IsInterface)
                    {
                        foreach (var heir in type.Assembly.GetTypes().Where(heir => !heir.ContainsGenericParameters && type.IsAssignableFrom(heir)))
                        {
                            Add(heir);
                        }
                    }
                }
            }
        }

        bool Changes(MethodBase method)
        {
            if (MethodCode.Of(method) is not { } code)
            {
                return method.ContainsGenericParameters; // cannot be told
            }

            foreach (var instruction in code.Instructions.Where(instruction => instruction.Code is ILOpCode.Call or ILOpCode.Callvirt or ILOpCode.Newobj or ILOpCode.Ldftn or ILOpCode.Ldvirtftn))
            {
                var called = (MethodBase)code.Resolve(instruction);
                if (called.DeclaringType?.Assembly == TorchSharpApi.Assembly)
                {
                    if (TorchSharpApi.Involves(called) && (called.Name.EndsWith('_') || called.Name.StartsWith("set_Tensor", StringComparison.Ordinal) || called.GetParameters().Any(parameter => parameter.Name is "inplace" or "out" or "@out")))
                    {
                        return true;
                    }
                }
                else
                {
                    Add(called.DeclaringType);
                }
            }

            return false;
        }
    }

    private static Type? Close(Type inner, Type outer)
    {
        if (!inner.ContainsGenericParameters)
        {
            return inner;
        }

        return outer.IsGenericType && !outer.ContainsGenericParameters && inner.GetGenericArguments().Length == outer.GetGenericArguments().Length ? inner.MakeGenericType(outer.GetGenericArguments()) : null;
    }
}
