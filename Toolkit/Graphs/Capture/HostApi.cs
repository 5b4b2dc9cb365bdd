using System.Collections;
using System.Collections.Frozen;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using Toolkit.Graphs.Il;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>What is known of .NET's own methods: which give the same whenever they are given the same.</summary>
internal static class HostApi
{
    private static readonly FrozenDictionary<Type, string> _changing = new Dictionary<Type, string>
    {
        [typeof(Random)] = "random numbers of .NET would stay what they are now: use torch.rand",
        [typeof(DateTime)] = "the time would stay what it is now: give it as an argument",
        [typeof(DateTimeOffset)] = "the time would stay what it is now: give it as an argument",
        [typeof(TimeProvider)] = "the time would stay what it is now: give it as an argument",
        [typeof(System.Diagnostics.Stopwatch)] = "measure outside of forward",
        [typeof(Environment)] = "read the environment outside of forward",
        [typeof(Guid)] = "make names outside of forward",
        [Type.GetType("System.Console, System.Console", throwOnError: true)!] = "write outside of forward: a compiled call would not write again",
        [typeof(Thread)] = "threads cannot be followed: let torch use them",
        [typeof(ThreadPool)] = "threads cannot be followed: let torch use them",
        [typeof(System.Threading.Tasks.Parallel)] = "threads cannot be followed: let torch use them",
        [typeof(GC)] = "manage memory outside of forward",
    }.ToFrozenDictionary();

    /// <summary>Why a graph ends at a call of something <c>dynamic</c>, and what to write instead.</summary>
    public static readonly (string Reason, string Advice) DynamicCall = ("a dynamic call cannot be followed", "give the variable its type instead of dynamic");

    private static readonly FrozenSet<string> _pure = FrozenSet.ToFrozenSet(
    [
        "System", "System.Linq", "System.Collections", "System.Collections.Generic", "System.Collections.Immutable", "System.Collections.Frozen", "System.Collections.ObjectModel",
        "System.Collections.Concurrent", "System.Text", "System.Globalization", "System.Numerics", "System.Runtime.CompilerServices", "System.Runtime.InteropServices", "System.Threading.Tasks",
        "System.Threading", "System.Diagnostics", "System.Reflection", "System.Linq.Expressions", "System.Runtime.ExceptionServices", "System.Text.RegularExpressions", "System.Numerics.Tensors",
    ]);

    /// <summary>Why a graph ends at a call, and what to write instead; null where it does not.</summary>
    public static (string Reason, string Advice)? Break(MethodBase method, object? self, object?[] arguments)
    {
        var type = method.DeclaringType!;
        var name = MemberNames.Of(method);
        if ((method.Attributes & MethodAttributes.PinvokeImpl) != 0)
        {
            return ($"{name} is native code", "call it outside of forward");
        }

        for (var level = type; level is not null; level = level.BaseType)
        {
            if (_changing.TryGetValue(level, out var advice) && IsChanging(level, method, arguments))
            {
                return (name, advice);
            }
        }

        if (type == typeof(Task) && method.Name is "Run" or "Delay" or "Yield")
        {
            return (name, "threads cannot be followed: let torch use them");
        }

        if (type.Namespace?.StartsWith("Microsoft.CSharp", StringComparison.Ordinal) == true || (type.Name.StartsWith("CallSite", StringComparison.Ordinal) && type.Namespace == "System.Runtime.CompilerServices"))
        {
            return DynamicCall;
        }

        if ((typeof(MemberInfo).IsAssignableFrom(type) && method.Name is "Invoke" or "InvokeMember" or "GetValue" or "SetValue") || type == typeof(Activator) || (type == typeof(Delegate) && method.Name == "DynamicInvoke"))
        {
            return ($"{name} calls by reflection, which cannot be followed", "call the method itself, or a delegate of it");
        }

        if (type.Assembly != TorchSharpApi.Assembly && !_pure.Contains(type.Namespace ?? "") && !typeof(Delegate).IsAssignableFrom(type))
        {
            return ($"{name} is not known to give the same each time", "call it outside of forward");
        }

        return OfTensors(method, self, arguments, name);
    }

    /// <summary>Whether a method of a collection only looks at it.</summary>
    public static bool OnlyReads(MethodBase method) => method.Name is "GetEnumerator" or "Contains" or "ContainsKey" or "ContainsValue" or "TryGetValue" or "IndexOf" or "LastIndexOf" or "ToArray"
        or "ToList" or "CopyTo" or "Exists" or "AsReadOnly" or "GetRange" or "Peek" or "TryPeek" or "BinarySearch" or "TrueForAll" or "ConvertAll" or "Equals" or "GetHashCode" or "ToString" or "Clone"
        or "GetType" or "GetLength" or "GetLongLength" or "GetLowerBound" or "GetUpperBound" or "GetValue" or "Get" or "AsSpan" or "ForEach" or "TryGetNonEnumeratedCount" or "IsSubsetOf" or "IsSupersetOf" or "Overlaps" or "SetEquals"
        || method.Name.StartsWith("get_", StringComparison.Ordinal) || method.Name.StartsWith("Find", StringComparison.Ordinal)
        || method.Name.Contains(".get_", StringComparison.Ordinal) || method.Name.EndsWith("GetEnumerator", StringComparison.Ordinal);

    /// <summary>Whether an object never changes: what its methods give may stay in a graph.</summary>
    public static bool IsImmutable(object value) => value is string or Type or MemberInfo or Assembly or Delegate or IComparer or IFormatProvider or Encoding or Version or Uri or ITuple or Task
        or Exception || value.GetType() is { IsValueType: true } || value.GetType().Namespace is "System.Collections.Immutable" or "System.Collections.Frozen"
        || value.GetType().Name.Contains("Comparer", StringComparison.Ordinal);

    /// <summary>Whether a method gives what an object will always give, once it has been given: a value that is made when it is asked for.</summary>
    public static bool GivesWhatStays(MethodBase method) => method.DeclaringType is { IsGenericType: true } type && type.GetGenericTypeDefinition() == typeof(Lazy<>) && method.Name is "get_Value" or "get_IsValueCreated";

    /// <summary>Whether a method compares or hashes objects that it is given, or may.</summary>
    public static bool LooksInto(MethodBase method) => Compares(method) || method.Name is "Add" or "TryAdd" or "TryGetValue" or "get_Item" or "set_Item";

    private static bool Compares(MethodBase method) => method.Name is "Equals" or "GetHashCode" or "CompareTo" or "Contains" or "IndexOf" or "LastIndexOf" or "Remove" or "ContainsKey" or "ContainsValue"
        or "Distinct" or "ToHashSet" or "SequenceEqual";

    /// <summary>Whether a method moves numbers from one place to another and computes nothing but sums and differences of them: what it is given may depend on sizes.</summary>
    public static bool Moves(MethodBase method)
    {
        var type = method.DeclaringType!;
        if (method.Name is "MoveNext" or "get_Current" or "GetEnumerator" or "Dispose" or "Reset" || method.Name.EndsWith("GetEnumerator", StringComparison.Ordinal) || method.Name.EndsWith(".get_Current", StringComparison.Ordinal))
        {
            return true;
        }

        if (type.IsArray || type == typeof(Array))
        {
            return method.Name is "Copy" or "CopyTo" or "Clone" or "Empty" or "Resize" or "Reverse" or "Get" or "Set" or "GetValue" or "SetValue" or "get_Length" or "get_LongLength" or "GetLength" or "GetLongLength" or "Fill";
        }

        if (type == typeof(Enumerable))
        {
            return method.Name is "Select" or "SelectMany" or "Where" or "Any" or "All" or "Aggregate" or "Skip" or "Take" or "SkipLast" or "TakeLast" or "First" or "Last" or "Single" or "ElementAt" or "Concat" or "Append"
                or "Prepend" or "Reverse" or "ToArray" or "ToList" or "Zip" or "Cast" or "OfType" or "Count" or "Sum" or "AsEnumerable";
        }

        var open = type.IsGenericType ? type.GetGenericTypeDefinition() : type;
        return open == typeof(List<>) || open == typeof(IList<>) || open == typeof(IReadOnlyList<>) || open == typeof(ICollection<>)
            ? method.IsConstructor || method.Name is "Add" or "AddRange" or "get_Item" or "set_Item" or "Insert" or "InsertRange" or "ToArray" or "get_Count" or "Reverse" or "CopyTo" or "GetRange" or "ForEach"
            : type == typeof(RuntimeHelpers) ? method.Name == "GetSubArray"
            : IsNumber(type)
                || ((type.FullName!.StartsWith("System.ValueTuple", StringComparison.Ordinal) || type.FullName.StartsWith("System.Tuple", StringComparison.Ordinal) || open == typeof(KeyValuePair<,>) || open == typeof(Nullable<>))
                    && (method.IsConstructor || method.Name is "Create" || method.Name.StartsWith("get_", StringComparison.Ordinal)));
    }

    /// <summary>Whether a method takes a place, from the beginning or the end, and throws where it is negative.</summary>
    public static bool RefusesNegative(MethodBase method) => method.DeclaringType == typeof(Index) && method.Name is ".ctor" or "op_Implicit" or "FromStart" or "FromEnd";

    /// <summary>Whether a parameter is a place, a count or a part: what comes out does not depend on it as a sum does.</summary>
    public static bool IsPlace(MethodBase method, int parameter)
    {
        // As it is declared: an element of a list of numbers is no place.
        var declared = IsNumber(method.DeclaringType!) ? null : method.Module.ResolveMethod(method.MetadataToken)!.GetParameters()[parameter].ParameterType;
        return declared == typeof(int) || declared == typeof(long) || declared == typeof(Index) || declared == typeof(Range);
    }

    /// <summary>Whether a type is a number, or a place or a part of a dimension given by numbers.</summary>
    private static bool IsNumber(Type type) =>
        type == typeof(TorchSharp.Scalar) || type == typeof(TensorIndex) || type == typeof(Size) || type == typeof(Index) || type == typeof(Range) || type == typeof(TorchSharp.ScalarExtensionMethods);

    private static bool IsChanging(Type level, MethodBase method, object?[] arguments)
    {
        if (level == typeof(Random))
        {
            return !method.IsConstructor || arguments.Length == 0; // with a seed it gives the same numbers each time, as long as it is made in the call
        }

        if (level == typeof(DateTime) || level == typeof(DateTimeOffset))
        {
            return method.Name is "get_Now" or "get_UtcNow" or "get_Today";
        }

        return level == typeof(Guid) ? method.Name is "NewGuid" or "CreateVersion7"
            : level == typeof(Environment) ? method.Name is not ("get_NewLine" or "get_CurrentManagedThreadId" or "FailFast")
            : level == typeof(Thread) ? method.Name is not ("get_CurrentThread" or "get_ManagedThreadId")
            : level != typeof(GC) || method.Name is not ("KeepAlive" or "SuppressFinalize");
    }

    /// <summary>Methods that compare, hash or print what they are given do so with a tensor's values.</summary>
    private static (string Reason, string Advice)? OfTensors(MethodBase method, object? self, object?[] arguments, string name)
    {
        var isText = method.DeclaringType == typeof(string) || method.DeclaringType == typeof(StringBuilder) || method.Name == "ToString";
        if (!isText && !Compares(method))
        {
            return null;
        }

        var given = arguments.Prepend(self).SelectMany(value => value is object?[] many ? many : [value]);
        if (given.Any(value => value is Tensor))
        {
            return ($"{name} looks at the values of a tensor", isText ? "print tensors outside of forward" : "compare shapes, or use torch.eq");
        }

        return isText && given.Any(value => value is not null && !value.GetType().IsValueType && IsPrintedByProgram(value))
            ? ($"{name} prints an object of the program", "make texts outside of forward")
            : null;
    }

    private static bool IsPrintedByProgram(object value) =>
        value.GetType().GetMethod("ToString", Type.EmptyTypes)?.DeclaringType is { } type && type.Assembly != typeof(object).Assembly && type.Namespace?.StartsWith("System", StringComparison.Ordinal) != true;
}
