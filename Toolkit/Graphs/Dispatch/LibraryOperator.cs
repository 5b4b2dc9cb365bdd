using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Dispatch;

/// <summary>An operator of the loaded libtorch, with the schema that it states itself.</summary>
internal sealed unsafe class LibraryOperator
{
    private static readonly HashSet<string> _random = new(StringComparer.Ordinal)
    {
        "aten::rand", "aten::rand_like", "aten::randn", "aten::randn_like", "aten::randint", "aten::randint.low", "aten::randint_like", "aten::randint_like.low_dtype", "aten::randperm",
        "aten::native_dropout",
    };

    private readonly Dispatcher _dispatcher;
    private readonly OperatorHandle* _handle;
    private readonly Lazy<Operator> _operator;

    /// <summary>The operator behind a handle.</summary>
    public LibraryOperator(Dispatcher dispatcher, OperatorHandle handle)
    {
        _dispatcher = dispatcher;
        // The dispatcher never forgets an operator of libtorch's own, so neither do we.
        _handle = (OperatorHandle*)NativeMemory.Alloc((nuint)sizeof(OperatorHandle));
        *_handle = handle;
        Name = handle.Name;
        Schema = Print(dispatcher.Symbols, handle.Schema);
        Returns = OperatorSchema.ReturnsOf(Schema);
        _operator = new(Make);
    }

    /// <summary>Name with overload.</summary>
    public string Name { get; }

    /// <summary>ATen's schema.</summary>
    public string Schema { get; }

    /// <summary>The returned types, as the schema writes them without aliases.</summary>
    public ImmutableArray<string> Returns { get; }

    /// <summary>The operator as graphs know it; one of the vocabulary where that has it.</summary>
    /// <exception cref="GraphException">The vocabulary states another schema than libtorch, or the schema cannot be read.</exception>
    public Operator Operator => _operator.Value;

    /// <summary>Whether it tells the program about values of tensors, so that what follows may depend on them.</summary>
    public bool ReadsData => Returns.Any(type => !type.StartsWith("Tensor", StringComparison.Ordinal)) && !IsQuery;

    /// <summary>Whether its answer depends on shapes, types and settings only.</summary>
    public bool IsQuery => Name is "aten::is_same_size" or "aten::_fused_sdp_choice" or "aten::_use_cudnn_ctc_loss" or "aten::_use_cudnn_rnn_flatten_weight" or "aten::_has_compatible_shallow_copy_type"
        or "aten::size.int" or "aten::stride.int" or "aten::is_pinned" or "aten::_debug_has_internal_overlap" or "aten::_nested_tensor_from_mask_left_aligned" or "aten::is_set_to";

    /// <summary>Whether values, not types, say how large its results are.</summary>
    /// <param name="arguments">One for each parameter.</param>
    public bool HasSizeOfValues(ImmutableArray<Argument> arguments) => Name switch
    {
        "aten::nonzero" or "aten::masked_select" or "aten::_unique" or "aten::_unique2" or "aten::unique_dim" or "aten::unique_consecutive" or "aten::unique_dim_consecutive" or "aten::bincount"
            or "aten::repeat_interleave.Tensor" => true,
        "aten::index.Tensor" => arguments[1].Values.Any(index => index.Type.DType is ScalarType.Bool or ScalarType.Byte),
        _ => false,
    };

    /// <summary>Calls it.</summary>
    /// <param name="arguments">One for each parameter.</param>
    /// <param name="tensors">The values among them, in order.</param>
    /// <returns>The tensors that come out, lists unrolled; an empty one for each that is none.</returns>
    /// <exception cref="GraphException">An argument does not fit, or libtorch refuses them.</exception>
    public Tensor[] Call(ImmutableArray<Argument> arguments, ReadOnlySpan<Tensor> tensors)
    {
        using var stack = new BoxedStack(_dispatcher.Symbols, arguments.Length + 8);
        var parameters = Operator.Parameters;
        var next = 0;
        for (var i = 0; i < arguments.Length; i++)
        {
            var count = arguments[i].Values.Count();
            stack.Push(parameters[i], arguments[i], tensors.Slice(next, count));
            next += count;
        }

        if (!_dispatcher.Call(_handle, stack.Vector))
        {
            throw new GraphException($"{Name}({Describe(arguments, tensors)}) is refused by libtorch");
        }

        GC.KeepAlive(this);
        return stack.Tensors();
    }

    /// <summary>Leaves empty results on a stack after a call that failed, so that native code has something to go on with.</summary>
    public void Poison(NativeVector* stack) => BoxedStack.Poison(_dispatcher.Symbols, stack, Returns);

    private static string Describe(ImmutableArray<Argument> arguments, ReadOnlySpan<Tensor> tensors)
    {
        var types = new Queue<string>();
        foreach (var tensor in tensors)
        {
            types.Enqueue(TensorType.Of(tensor).ToString());
        }

        return string.Join(", ", arguments.Select(argument => argument switch
        {
            ValueArgument => types.Dequeue(),
            ValuesArgument list => $"[{string.Join(", ", list.Items.Select(item => item is null ? "none" : types.Dequeue()))}]",
            _ => argument.ToString()!,
        }));
    }

    private static string Print(DispatcherSymbols symbols, NativeString* schema)
    {
        // std::ostringstream has 376 bytes; nothing depends on the number but that this is more.
        var stream = NativeMemory.AllocZeroed(1024);
        symbols.NewStream(stream);
        symbols.PrintSchema(stream, schema);
        NativeString text;
        symbols.StreamText(&text, stream);
        var result = NativeString.Read(&text);
        NativeString.Free(&text);
        symbols.DeleteStream(stream);
        NativeMemory.Free(stream);
        return result;
    }

    private Operator Make()
    {
        Operator own;
        try
        {
            own = new Operator(Schema, KindOf(Schema), infer: null, (call, tensors) => Call(call.Arguments, tensors));
        }
        catch (FormatException problem)
        {
            throw new GraphException($"libtorch's schema of {Name} cannot be read: {problem.Message}", problem);
        }

        if (Operators.FindOwn(Name) is not { } known)
        {
            return own;
        }

        return Differs(known, own) is { } difference ? throw new GraphException($"{Name} of the vocabulary is not libtorch's: {difference}; {known.Schema} and {own.Schema}") : known;
    }

    private OperatorKind KindOf(string schema)
    {
        var (_, parameters, _) = OperatorSchema.Parse(schema);
        return _random.Contains(Name) || parameters.Any(parameter => parameter.Type.StartsWith("Generator", StringComparison.Ordinal)) ? OperatorKind.Random
            : !parameters.Any(parameter => parameter.IsTensor) ? OperatorKind.Factory
            : parameters.Any(parameter => parameter.IsAliased && !parameter.IsWritten) ? OperatorKind.View
            : OperatorKind.Other;
    }

    /// <summary>What keeps two operators from taking the same arguments; null for nothing.</summary>
    internal static string? Differs(Operator known, Operator own)
    {
        if (known.Parameters.Length != own.Parameters.Length)
        {
            return $"{known.Parameters.Length} parameters and {own.Parameters.Length}";
        }

        foreach (var (a, b) in known.Parameters.Zip(own.Parameters))
        {
            if (a.Name != b.Name || Plain(a.Type) != Plain(b.Type) || a.IsWritten != b.IsWritten || a.IsAliased != b.IsAliased)
            {
                return $"the parameter {a.Type} {a.Name} and {b.Type} {b.Name}";
            }
        }

        return known.Returns.Select(Plain).SequenceEqual(own.Returns.Select(Plain)) ? null : "the types returned";
    }

    private static string Plain(string type) => type.Replace("SymInt", "int", StringComparison.Ordinal);
}
