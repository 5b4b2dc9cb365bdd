using System.Collections.Immutable;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Dispatch;

/// <summary>
/// Turns the operators that a thread calls into nodes. A tensor is known by libtorch's object; where autograd hands out a new object for a tensor that it saved, by the memory that it shows:
/// everything seen stays alive until the end, so no memory is used twice.
/// </summary>
internal sealed unsafe partial class RecordingSession : IDispatchListener, IDisposable
{
    private readonly Dispatcher _dispatcher;
    private readonly DispatcherSymbols _symbols;
    private readonly Func<Origin>? _origin;
    private readonly Dictionary<Value, Value> _unwritten = new(ReferenceEqualityComparer.Instance);
    private readonly int _thread = Environment.CurrentManagedThreadId;

    /// <summary>A session.</summary>
    /// <param name="dispatcher">Where operators come from.</param>
    /// <param name="origin">Tells where in the program a call comes from.</param>
    public RecordingSession(Dispatcher dispatcher, Func<Origin>? origin) => (_dispatcher, _symbols, _origin) = (dispatcher, dispatcher.Symbols, origin);

    /// <summary>The graph so far.</summary>
    public GraphBuilder Builder { get; } = new();

    /// <summary>Why what was recorded is of no use; null where it is.</summary>
    public string? Failure { get; private set; }

    /// <summary>What the program learnt of values.</summary>
    public List<DataRead> Reads { get; } = [];

    /// <inheritdoc/>
    public void OnCall(OperatorHandle* handle, NativeVector* stack)
    {
        LibraryOperator? op = null;
        ImmutableArray<Argument> arguments = default;
        try
        {
            op = _dispatcher.Of(handle);
            if (Failure is null)
            {
                arguments = Read(op, stack);
            }
        }
        catch (Exception problem)
        {
            Fail(problem.Message);
        }

        if (!_dispatcher.Call(handle, stack))
        {
            Fail($"{op?.Name}({(arguments.IsDefault ? "" : string.Join(", ", arguments.Select(Show)))}) failed in libtorch");
            op?.Poison(stack);
            return;
        }

        try
        {
            if (Failure is null)
            {
                Write(op!, arguments, stack);
            }
        }
        catch (Exception problem)
        {
            Fail(problem.Message);
        }
    }

    /// <summary>Makes what was recorded of no use.</summary>
    public void Fail(string reason) => Failure ??= reason;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var handle in _alive)
        {
            _ = _symbols.DeleteTensor((nint*)handle);
        }

        _alive.Clear();
    }

    private static string Show(Argument argument) => argument is ValueArgument { Value: var value } ? value.Type.ToString() : argument.ToString()!;

    private ImmutableArray<Argument> Read(LibraryOperator op, NativeVector* stack)
    {
        if (Environment.CurrentManagedThreadId != _thread)
        {
            throw new GraphException($"{op.Name} ran on another thread than the recording");
        }

        if (op.Name.StartsWith("aten::mkldnn_rnn", StringComparison.Ordinal))
        {
            throw new GraphException($"{op.Name} keeps what it alone knows");
        }

        if (op.Name is "aten::set_.source_Tensor" or "aten::set_.source_Storage" or "aten::set_.source_Storage_storage_offset" or "aten::set_" or "aten::resize_" or "aten::resize_as_" or "aten::set_data")
        {
            throw new GraphException($"{op.Name} gives a tensor other memory, which a graph cannot say");
        }

        var parameters = op.Operator.Parameters;
        var values = stack->Values[^parameters.Length..];
        var arguments = ImmutableArray.CreateBuilder<Argument>(parameters.Length);
        fixed (BoxedValue* first = values)
        {
            for (var i = 0; i < parameters.Length; i++)
            {
                arguments.Add(BoxedReader.Read(first + i, parameters[i], _symbols.Undefined, slot => ValueOf(slot)));
            }
        }

        if (op.HasSizeOfValues(arguments.ToImmutable()))
        {
            throw new GraphException($"{op.Name} has a result whose size depends on values");
        }

        if (op.ReadsData)
        {
            return arguments.ToImmutable();
        }

        foreach (var (argument, parameter) in arguments.Zip(parameters))
        {
            foreach (var value in argument.Values)
            {
                CheckWritten(op, parameter, value);
            }
        }

        return arguments.ToImmutable();
    }

    /// <summary>Memory that nobody filled through the dispatcher was filled by a loop that the dispatcher does not see.</summary>
    private void CheckWritten(LibraryOperator op, OperatorParameter parameter, Value value)
    {
        if (!_unwritten.TryGetValue(value, out var root))
        {
            return;
        }

        if (parameter.IsWritten)
        {
            _unwritten.Where(entry => ReferenceEquals(entry.Value, root)).Select(entry => entry.Key).ToList().ForEach(key => _unwritten.Remove(key));
        }
        else if (!parameter.IsAliased && value.Type.Elements > 0 && !op.Name.EndsWith("_like", StringComparison.Ordinal) && !op.Name.StartsWith("aten::new_", StringComparison.Ordinal))
        {
            throw new GraphException($"{op.Name} reads {value}, which no operator has filled: code beside libtorch's dispatcher writes to it");
        }
    }

    private void Write(LibraryOperator op, ImmutableArray<Argument> arguments, NativeVector* stack)
    {
        if (op.IsQuery)
        {
            return;
        }

        var results = stack->Values[^op.Returns.Length..];
        if (op.ReadsData && !op.Returns.Any(type => type.StartsWith("Tensor", StringComparison.Ordinal)))
        {
            fixed (BoxedValue* first = results)
            {
                Reads.Add(new(op.Name, [.. arguments.SelectMany(argument => argument.Values)], BoxedReader.Number(first), _origin?.Invoke() ?? Origin.None));
            }

            return;
        }

        var slots = new List<nint>();
        fixed (BoxedValue* first = results)
        {
            for (var i = 0; i < results.Length; i++)
            {
                BoxedReader.Tensors(first + i, slots);
            }

            Emit(op.Operator, arguments, slots);
        }
    }

    /// <summary>Operators that give a tensor another shape without touching its values, and the views that they are.</summary>
    private static readonly Dictionary<string, string> _reshaping = new(StringComparer.Ordinal)
    {
        ["aten::transpose_"] = "aten::transpose.int",
        ["aten::swapaxes_"] = "aten::transpose.int",
        ["aten::swapdims_"] = "aten::transpose.int",
        ["aten::t_"] = "aten::t",
        ["aten::squeeze_"] = "aten::squeeze",
        ["aten::squeeze_.dim"] = "aten::squeeze.dim",
        ["aten::unsqueeze_"] = "aten::unsqueeze",
    };

    private void Emit(Operator op, ImmutableArray<Argument> arguments, List<nint> slots)
    {
        var isReshaping = _reshaping.TryGetValue(op.Name, out var view);
        if (isReshaping)
        {
            op = arguments[0].Values.First() is GraphInput input ? throw new GraphException($"{op.Name} gives {input.Path} another shape") : Operators.Get(view!);
        }

        Builder.Origin = _origin?.Invoke() ?? Origin.None;
        // Its schema keeps silent about the running statistics that it overwrites; this one, the same otherwise, tells.
        if (op.Name == "aten::native_batch_norm" && arguments[5] is BooleanArgument { Flag: true } && arguments[3] is ValueArgument && arguments[4] is ValueArgument)
        {
            op = Operators.Get("aten::_native_batch_norm_legit");
        }

        var inferred = new Lazy<TensorType[]?>(() => op.CanInfer ? op.Infer(arguments) : null);
        var types = slots.Select((slot, i) => IsNothing(slot) ? inferred.Value?[i] ?? new TensorType(ScalarType.Float32, [0]) : TypeOf((nint*)slot)).ToArray();
        var node = Builder.Add(op, arguments, types);
        for (var i = 0; i < slots.Count; i++)
        {
            if (!IsNothing(slots[i]))
            {
                if (isReshaping)
                {
                    _byObject.Remove(*(nint*)slots[i]);
                }

                Remember((nint*)slots[i], node.Outputs[i], isNew: false);
                Track(op, node, node.Outputs[i]);
            }
        }
    }

    private void Track(Operator op, Node node, Value output)
    {
        if (op.Name.StartsWith("aten::empty", StringComparison.Ordinal) || op.Name.StartsWith("aten::new_empty", StringComparison.Ordinal))
        {
            _unwritten[output] = output;
        }
        else if (op.Kind == OperatorKind.View && node.Inputs.FirstOrDefault() is { } source && _unwritten.TryGetValue(source, out var root))
        {
            _unwritten[output] = root;
        }
    }
}
