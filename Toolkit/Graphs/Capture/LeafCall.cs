using System.Collections.Immutable;
using System.Reflection;
using Toolkit.Graphs.Dispatch;
using Toolkit.Graphs.Il;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>A call of TorchSharp, or of an operation of the engine, that becomes nodes of the graph.</summary>
internal sealed partial class LeafCall
{
    private readonly Tracer _tracer;
    private readonly string? _operation;
    private readonly (Tensor Tensor, Value Value)[] _before;

    /// <summary>A call that is about to be run.</summary>
    public LeafCall(Tracer tracer, MethodBase method, string? operation, object? self, object?[] arguments)
    {
        (_tracer, Method, _operation, Self, Arguments) = (tracer, method, operation, self, arguments);
        _before = [.. arguments.Prepend(self).SelectMany(OpaqueCall.TensorsIn).Select(tensor => (tensor, tracer.Tensors.Find(tensor)!))];
    }

    /// <summary>What is called.</summary>
    public MethodBase Method { get; }

    /// <summary>On what; null for a static method.</summary>
    public object? Self { get; }

    /// <summary>With what.</summary>
    public object?[] Arguments { get; }

    /// <summary>What came out.</summary>
    public Tensor[] Results { get; private set; } = [];

    /// <summary>Whether it changes its receiver: by TorchSharp's convention its name ends in an underscore, or sets something.</summary>
    public bool IsInPlace => Method.Name.EndsWith('_') || Method.Name.StartsWith("set_", StringComparison.Ordinal)
        || Method.GetParameters().Zip(Arguments).Any(pair => pair.First.Name == "inplace" && pair.Second is true);

    /// <summary>Whether it is one of TorchSharp's own methods that give tensors back, not an operation of the engine.</summary>
    public bool IsOfTorchSharp => _operation is null && Method.DeclaringType?.Assembly == TorchSharpApi.Assembly && Method is MethodInfo { ReturnType: var type } && TorchSharpApi.Mentions(type);

    /// <summary>Whether gradients flow through it.</summary>
    public bool RequiresGrad => _tracer.RequiresGrad;

    /// <summary>The value of a tensor.</summary>
    public Value Value(object? tensor) => _tracer.Tensors.Find((Tensor)tensor!)!;

    /// <summary>Whether the program made a tensor, and nothing else that it knows is another handle of it.</summary>
    public bool IsOwn(Tensor tensor) => !_tracer.Tensors.IsExternal(tensor) && !_tracer.Tensors.HasTwin(tensor);

    /// <summary>Adds a node.</summary>
    public Node Add(Operator op, ImmutableArray<Argument> arguments) => _tracer.Builder.Add(Drawn(op, arguments.SelectMany(argument => argument.Values)), arguments);

    /// <summary>Adds a node with one output.</summary>
    public Value Add(string name, params ReadOnlySpan<Argument> arguments) => Operators.Get(name) is var op && op.Kind == OperatorKind.Random
        ? Add(op, GraphBuilder.WithDefaults(op, arguments)).Output : _tracer.Builder.Add(name, arguments);

    /// <summary>A tensor whose values stay.</summary>
    public Value Constant(Tensor tensor) => _tracer.Tensors.Constant(tensor);

    /// <summary>The table of an embedding, read from the module at each call.</summary>
    public Value WeightOf(TorchSharp.Modules.Embedding module) => _tracer.Parameter(module, typeof(TorchSharp.Modules.Embedding).GetProperty("weight")!.GetMethod!);

    /// <summary>A parameter of a module that a property gives, read from it at each call; null where it has none.</summary>
    public Value? ParameterOf(nn.Module module, string property) =>
        module.GetType().GetProperty(property)!.GetMethod! is var getter && getter.Invoke(module, null) is not null ? _tracer.Parameter(module, getter) : null;

    /// <summary>Makes nodes of it, now that it was run.</summary>
    public void Record(object? result)
    {
        Results = [.. OpaqueCall.TensorsIn(result)];
        var isSame = Results.Length > 0 && !IsInPlace && Results.All(tensor => _before.Any(entry => ReferenceEquals(entry.Tensor, tensor)));
        if (isSame)
        {
            return; // it gave back what it was given
        }

        _tracer.NoteResults(Results, Self);
        if (IsInPlace && _before.Length > 0 && _tracer.Tensors.IsExternal(_before[0].Tensor))
        {
            _tracer.NoteChange();
        }

        var isCut = _tracer.IsGradEnabled && !is_grad_enabled() && (Self is TorchSharp.torch.nn.Module || Array.Exists(_before, entry => entry.Tensor.requires_grad));
        if (isCut && IsInPlace)
        {
            _tracer.End("something is changed in place where gradients are turned off, by or with what has a gradient", "use detach()");
            return;
        }

        var values = Lowered() ?? Opaque();
        for (var i = 0; values is not null && i < Results.Length; i++)
        {
            // The graph runs with gradients on, all of it: what came from where they were off is cut off from them, unless it is what was given. (A view tells nothing: it says what its base says.)
            var isNew = isCut && Results[i].is_floating_point() && !Array.Exists(_before, entry => TensorMemory.AreOne(entry.Tensor, Results[i]));
            _tracer.Tensors.Set(Results[i], isNew ? Add("aten::detach", values[i]) : values[i]);
        }
    }

    /// <summary>The values of the results by operators; null where there are none that fit.</summary>
    private IReadOnlyList<Value>? Lowered()
    {
        try
        {
            var values = _operation is not null ? EngineLowering.Lower(this, _operation) : LoweringTable.Lower(this);
            var fits = values is not null && values.Count >= Results.Length && Results.Select(TensorType.Of).SequenceEqual(values.Take(Results.Length).Select(value => value.Type));
            return fits ? [.. values!.Select((value, i) => i < Results.Length ? Unchanged(Results[i], value) : value)] : null;
        }
        catch (GraphException)
        {
            return null; // the call stays a call
        }
    }

    /// <summary>An operation that computes, and yet gives back what it was given: changing the one changes the other.</summary>
    private Value Unchanged(Tensor result, Value value)
    {
        if (value.Producer is not { Operator: { IsMutating: false, Parameters: [{ IsAliased: false }, ..] } })
        {
            return value;
        }

        var source = Array.Find(_before, entry => TensorMemory.AreOne(entry.Tensor, result)).Value;
        return source is null ? value : Add("aten::alias", source);
    }

    private Value[]? Opaque()
    {
        var tensors = new List<Tensor>();
        var isRandom = LoweringTable.IsRandom(Method, Self, Arguments);

        // Not only methods with an underscore change what they are given, and what comes out may be a view of it: then the graph runs call by call, as the program does.
        var isMutating = IsInPlace || Results.Length == 0 || Array.Exists(Results, result => Array.Exists(_before, entry => TensorMemory.AreShared(entry.Tensor, result)));
        var op = OpaqueCall.Make(Method, Self, Arguments, tensors, isMutating, isRandom, Results.Length);
        if (op is null)
        {
            _tracer.End($"{MemberNames.Of(Method)} is given what cannot be kept", "give it tensors, numbers and texts");
            return null;
        }

        if (Self is TorchSharp.torch.nn.Module module)
        {
            _tracer.NoteNative(module);
        }

        _tracer.OpaqueCalls.Add($"{MemberNames.Of(Method)} ({_tracer.Builder.Origin}){(_whyOpaque is null ? "" : $": {_whyOpaque}")}");
        Argument given = new ValuesArgument([.. tensors.Select(tensor => (Value?)Value(tensor))]);
        var types = Results.Select(TensorType.Of).ToArray();
        return [.. _tracer.Builder.Add(isRandom && !op.IsMutating ? Drawing.Of(op, tensors) : op, [given], types).Outputs];
    }

    /// <summary>An operator that draws does so in the order of its tensors' memory.</summary>
    private Operator Drawn(Operator op, IEnumerable<Value> values) => op.Kind == OperatorKind.Random && !op.IsMutating && values.ToArray() is { Length: > 0 } all
        && Array.TrueForAll(all, value => Array.Exists(_before, entry => ReferenceEquals(entry.Value, value)))
            ? Drawing.Of(op, all.Select(value => Array.Find(_before, entry => ReferenceEquals(entry.Value, value)).Tensor)) : op;
}
