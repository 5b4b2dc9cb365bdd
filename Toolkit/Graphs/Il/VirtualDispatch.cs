using System.Collections.Concurrent;
using System.Reflection;

namespace Toolkit.Graphs.Il;

/// <summary>Which method a virtual call reaches.</summary>
internal static class VirtualDispatch
{
    private const BindingFlags Declared = BindingFlags.Instance | BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
    private static readonly ConcurrentDictionary<(MethodInfo Method, Type Type), MethodInfo> _cache = [];

    /// <summary>The method that a call reaches on an object of a type, or, for a static one, on the type.</summary>
    public static MethodInfo Resolve(MethodInfo method, Type type) =>
        !method.IsVirtual || method.DeclaringType == type || method.IsFinal ? method
        : type.IsCollectible ? Find(method, type)
        : _cache.GetOrAdd((method, type), key => Find(key.Method, key.Type));

    private static MethodInfo Find(MethodInfo method, Type type)
    {
        var definition = method.IsGenericMethod ? method.GetGenericMethodDefinition() : method;
        var found = method.DeclaringType!.IsInterface ? OfInterface(definition, type) : Override(definition, type);
        if (found is null)
        {
            return method;
        }

        return found.IsGenericMethodDefinition ? found.MakeGenericMethod(method.GetGenericArguments()) : found;
    }

    private static MethodInfo? OfInterface(MethodInfo definition, Type type)
    {
        var wanted = definition.DeclaringType!;
        var all = type.GetInterfaces();
        var match = all.FirstOrDefault(candidate => candidate == wanted)
            ?? all.FirstOrDefault(candidate => wanted.IsGenericType && candidate.IsGenericType
                && candidate.GetGenericTypeDefinition() == wanted.GetGenericTypeDefinition() && wanted.IsAssignableFrom(candidate));
        if (match is null || type.IsArray)
        {
            return null;
        }

        var map = type.GetInterfaceMap(match);
        var index = Array.FindIndex(map.InterfaceMethods, method => method.MetadataToken == definition.MetadataToken && method.Module == definition.Module);
        return index < 0 ? null : map.TargetMethods[index];
    }

    private static MethodInfo? Override(MethodInfo definition, Type type)
    {
        var root = definition.GetBaseDefinition();
        for (var level = type; level is not null; level = level.BaseType)
        {
            foreach (var candidate in level.GetMethods(Declared))
            {
                if (candidate.IsVirtual && candidate.Name == definition.Name && IsSame(candidate.GetBaseDefinition(), root))
                {
                    return candidate;
                }
            }
        }

        return null;
    }

    private static bool IsSame(MethodInfo a, MethodInfo b) => a.MetadataToken == b.MetadataToken && a.Module == b.Module && a.DeclaringType == b.DeclaringType;
}
