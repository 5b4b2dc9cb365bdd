using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Reflection;
using System.Reflection.Metadata;
using Toolkit.Graphs.Il;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>What is known of TorchSharp's methods: which are opened, which are operations of a graph, which read values.</summary>
internal static class TorchSharpApi
{
    private static readonly ConcurrentDictionary<MethodBase, bool> _native = [];

    /// <summary>What a tensor tells of itself without its values: it is the same at each call for which the guards hold.</summary>
    private static readonly FrozenSet<string> _metadata = FrozenSet.ToFrozenSet(
    [
        "get_shape", "size", "dim", "get_Dimensions", "get_ndim", "numel", "get_NumberOfElements", "get_dtype", "get_device", "get_device_type", "get_device_index",
        "get_is_cuda", "is_cpu", "get_is_meta", "is_floating_point", "is_complex", "is_integral", "element_size", "get_ElementSize", "get_requires_grad", "get_IsInvalid",
        "is_contiguous", "stride", "storage_offset", "get_is_leaf", "get_is_sparse", "is_quantized", "is_conj", "is_neg", "is_pinned", "has_names", "get_names", "get_name",
        "get_layout",
    ]);

    /// <summary>How long a handle lives: nothing of a graph.</summary>
    private static readonly FrozenSet<string> _scopes = FrozenSet.ToFrozenSet(
        ["Dispose", "MoveToOuterDisposeScope", "MoveToOtherDisposeScope", "DetachFromDisposeScope", "DetatchFromDisposeScope", "get_IsInvalid", "Finalize"]);

    /// <summary>What depends on the types of tensors, not on their values.</summary>
    private static readonly FrozenSet<string> _types = FrozenSet.ToFrozenSet(["result_type", "can_cast", "promote_types", "is_same_size", "is_tensor", "is_storage"]);

    private static readonly FrozenDictionary<string, string> _reads = new Dictionary<string, string>
    {
        ["item"] = "keep the number as a tensor: torch.where or a mask instead of if",
        ["ToScalar"] = "keep the number as a tensor",
        ["ToSingle"] = "keep the number as a tensor: torch.where or a mask instead of if",
        ["ToDouble"] = "keep the number as a tensor",
        ["ToInt32"] = "keep the number as a tensor",
        ["ToInt64"] = "keep the number as a tensor",
        ["ToInt16"] = "keep the number as a tensor",
        ["ToByte"] = "keep the number as a tensor",
        ["ToSByte"] = "keep the number as a tensor",
        ["ToHalf"] = "keep the number as a tensor",
        ["ToBoolean"] = "use torch.where instead of if",
        ["ToComplex32"] = "keep the number as a tensor",
        ["ToComplex64"] = "keep the number as a tensor",
        ["op_Explicit"] = "keep the number as a tensor",
        ["op_True"] = "use torch.where instead of if",
        ["op_False"] = "use torch.where instead of if",
        ["is_nonzero"] = "use torch.where instead of if",
        ["data"] = "compute with tensor operations, or read the values outside of forward",
        ["get_bytes"] = "read the values outside of forward",
        ["set_bytes"] = "set the values outside of forward",
        ["ReadCpuBFloat16"] = "read the values outside of forward",
        ["ReadCpuFloat16"] = "read the values outside of forward",
        ["WriteBytesToStream"] = "read the values outside of forward",
        ["ReadBytesFromStream"] = "set the values outside of forward",
        ["ToString"] = "print tensors outside of forward",
        ["str"] = "print tensors outside of forward",
        ["cstr"] = "print tensors outside of forward",
        ["jlstr"] = "print tensors outside of forward",
        ["npstr"] = "print tensors outside of forward",
        ["print"] = "print tensors outside of forward",
        ["tolist"] = "read the values outside of forward",
        ["Equals"] = "compare shapes, or use torch.eq",
        ["allclose"] = "compare values outside of forward",
        ["GetHashCode"] = "use the tensor's name or place as key",
        ["nonzero"] = "use a mask: the size of the result depends on values",
        ["nonzero_as_list"] = "use a mask: the size of the result depends on values",
        ["masked_select"] = "use torch.where or masked_fill: the size of the result depends on values",
        ["argwhere"] = "use a mask: the size of the result depends on values",
        ["unique"] = "do it outside of forward: the size of the result depends on values",
        ["unique_consecutive"] = "do it outside of forward: the size of the result depends on values",
        ["bincount"] = "use one_hot and sum: the size of the result depends on values",
        ["save"] = "save outside of forward",
        ["load"] = "load outside of forward",
        ["backward"] = "call backward outside of what is compiled",
        ["grad"] = "take gradients outside of what is compiled",
        ["get_grad"] = "read gradients outside of what is compiled",
        ["set_grad"] = "set gradients outside of what is compiled",
        ["set_requires_grad"] = "set it outside of forward; detach() keeps gradients out",
        ["requires_grad_"] = "set it outside of forward; detach() keeps gradients out",
        ["retain_grad"] = "call it outside of what is compiled",
        ["get_Handle"] = "native code cannot be followed",
        ["frombuffer"] = "make a tensor of the data outside of forward",
        ["from_file"] = "load outside of forward",
        ["set_"] = "use copy_, which keeps the tensor's memory",
        ["resize_"] = "make a new tensor",
        ["get_rng_state"] = "read it outside of forward",
        ["get_SparseIndices"] = "sparse tensors are not captured",
        ["get_SparseValues"] = "sparse tensors are not captured",
        ["to_sparse"] = "sparse tensors are not captured",
        ["sparse_coo_tensor"] = "sparse tensors are not captured",
    }.ToFrozenDictionary();

    /// <summary>TorchSharp.</summary>
    public static Assembly Assembly { get; } = typeof(torch).Assembly;

    /// <summary>Whether a type is a module, or belongs to one.</summary>
    public static bool IsModule(Type? type)
    {
        for (; type is not null; type = type.DeclaringType)
        {
            if (typeof(nn.Module).IsAssignableFrom(type))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether a type is made of tensors.</summary>
    public static bool Mentions(Type? type) => type is not null
        && (type.HasElementType ? Mentions(type.GetElementType())
            : typeof(Tensor).IsAssignableFrom(type) || type == typeof(TensorIndex) || (type.IsGenericType && type.GetGenericArguments().Any(Mentions)));

    /// <summary>Whether tensors go into a method or come out.</summary>
    public static bool Involves(MethodBase method) => (!method.IsStatic && typeof(Tensor).IsAssignableFrom(method.DeclaringType))
        || method.GetParameters().Any(parameter => Mentions(parameter.ParameterType)) || (method is MethodInfo info && Mentions(info.ReturnType));

    /// <summary>Whether its body calls native code.</summary>
    public static bool CallsNative(MethodBase method) => _native.GetOrAdd(method, Scan);

    /// <summary>Whether it tells what a tensor is, not what is in it.</summary>
    public static bool IsMetadata(MethodBase method) => typeof(Tensor).IsAssignableFrom(method.DeclaringType) && _metadata.Contains(method.Name);

    /// <summary>What happens to a call of a method of TorchSharp.</summary>
    public static CallKind Decide(MethodBase method)
    {
        var type = method.DeclaringType!;
        var code = MethodCode.Of(method);
        if (typeof(Tensor).IsAssignableFrom(type) && !method.IsStatic && (_metadata.Contains(method.Name) || _scopes.Contains(method.Name) || method.IsConstructor))
        {
            return CallKind.Native;
        }

        if (ReadsMemory(type) || IsCustomFunction(method) || (Involves(method) && _reads.ContainsKey(method.Name)))
        {
            return CallKind.Leaf;
        }

        if (IsPlumbing(type) || code is null)
        {
            return CallKind.Native;
        }

        if (IsModule(type))
        {
            return method.IsConstructor || method.Name is "Dispose" or "register_module" or "GetName" ? CallKind.Native
                : !CallsNative(method) && code.Obstacle is null ? CallKind.Interpret
                : Involves(method) && !IsGetter(method) ? CallKind.Leaf : CallKind.Native;
        }

        if (CallsNative(method) || code.Obstacle is not null)
        {
            return Involves(method) ? CallKind.Leaf : CallKind.Native;
        }

        var isOpened = Involves(method) || type.Namespace is "TorchSharp.Utils" or "TorchSharp.Modules"
            || method.GetParameters().Any(parameter => typeof(Delegate).IsAssignableFrom(parameter.ParameterType));
        return isOpened ? CallKind.Interpret : CallKind.Native;
    }

    /// <summary>Why a graph ends at a call, and what to write instead; null where it does not.</summary>
    public static (string Reason, string Advice)? Break(MethodBase method, object?[] arguments)
    {
        if (method is MethodInfo { Name: "op_Explicit", ReturnType: var wanted } && wanted == typeof(bool))
        {
            return ("a tensor is converted to bool, which leaves the graph", "use torch.where instead of if");
        }

        if (IsCustomFunction(method))
        {
            return ($"{Name(method.DeclaringType!)}.apply has a backward pass of its own", "write it with tensor operations, or call it outside of forward");
        }

        if (ReadsMemory(method.DeclaringType!))
        {
            return ($"{method.Name} reads the values of a tensor", _reads["data"]);
        }

        if (_reads.TryGetValue(method.Name, out var advice))
        {
            return ($"{MemberNames.Of(method)} {(advice.Contains("depends on values", StringComparison.Ordinal) ? "has a result whose size depends on values" : "leaves the graph")}", advice);
        }

        if (method.Name is "get_TensorItems" or "index" && arguments.SelectMany(OpaqueCall.TensorsIn).Any(IsMask))
        {
            return ("indexing with a mask has a result whose size depends on values", "use torch.where or masked_fill");
        }

        if (method is MethodInfo { ReturnType: var returned } && returned != typeof(void) && !Mentions(returned) && returned != typeof(object) && !_metadata.Contains(method.Name) && !_types.Contains(method.Name))
        {
            return ($"{MemberNames.Of(method)} makes {Template.Article(MemberNames.Of(returned))} of tensors", "compute with tensor operations, or call it outside of forward");
        }

        return method.Name switch
        {
            "repeat_interleave" when arguments[0] is Tensor => ("repeat_interleave by a tensor has a result whose size depends on values", "repeat by a number"),
            "where" when arguments.Length == 1 => ("where without branches has a result whose size depends on values", "use a mask"),
            "one_hot" when arguments[^1] is -1L => ("one_hot without a number of classes reads values", "give the number of classes"),
            _ => null,
        };
    }

    /// <summary>Whether it calls a function that the program derives itself (<see cref="autograd.SingleTensorFunction{T}"/> and its like).</summary>
    private static bool IsCustomFunction(MethodBase method) => method.Name == "apply" && method.IsStatic && method.DeclaringType is { IsGenericType: true, DeclaringType: var outer } && outer == typeof(autograd);

    private static string Name(Type function) => function.GenericTypeArguments is [var own] ? MemberNames.Of(own) : MemberNames.Of(function);

    /// <summary>Whether it is a view of a tensor's memory as .NET values.</summary>
    private static bool ReadsMemory(Type type) => type.IsGenericType && type.GetGenericTypeDefinition() == typeof(TorchSharp.Utils.TensorAccessor<>);

    private static bool IsMask(Tensor tensor) => tensor.dtype is ScalarType.Bool or ScalarType.Byte;

    private static bool IsGetter(MethodBase method) => method.IsSpecialName && method.Name.StartsWith("get_", StringComparison.Ordinal) && method.GetParameters().Length == 0;

    /// <summary>Types that hold no computation: scopes, numbers, indices, devices.</summary>
    private static bool IsPlumbing(Type type) => type == typeof(Scalar) || type == typeof(ScalarExtensionMethods) || type == typeof(TensorIndex) || type == typeof(Device)
        || type == typeof(Size) || type == typeof(Generator) || type.Name.Contains("DisposeScope", StringComparison.Ordinal) || type.Name.Contains("PinnedArray", StringComparison.Ordinal);

    private static bool Scan(MethodBase method)
    {
        if (MethodCode.Of(method) is not { } code)
        {
            return false;
        }

        foreach (var instruction in code.Instructions.Where(instruction => instruction.Code == ILOpCode.Call))
        {
            if (code.Resolve(instruction) is not MethodBase called)
            {
                continue;
            }

            // What hands tensors on as native handles is the last place where they are tensors.
            var isNative = (called.Attributes & MethodAttributes.PinvokeImpl) != 0 && called.Name != "THSTorch_get_and_reset_last_err";
            if (isNative || (called.Module.Assembly == Assembly && called.GetParameters().Any(parameter => parameter.ParameterType == typeof(nint[]))))
            {
                return true;
            }
        }

        return false;
    }
}
