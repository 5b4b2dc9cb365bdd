using Toolkit.Graphs.Dispatch;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>Which value of the graph each tensor of the program is, and where those come from that the program did not compute.</summary>
internal sealed class TensorTable(GraphBuilder builder, Func<Tensor, AccessPath, string> name)
{
    private readonly Dictionary<Tensor, Value> _values = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<Tensor, (AccessPath Path, GraphInputKind Kind)> _sources = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<nint, Tensor> _byIdentity = [];
    private readonly List<AccessPath> _inputs = [];

    private readonly List<Tensor> _tensors = [];
    private readonly List<nint> _starts = [];
    private readonly List<(AccessPath Path, AccessPath Twin)> _twins = [];

    /// <summary>Where the inputs of the graph are read.</summary>
    public IReadOnlyList<AccessPath> Inputs => _inputs;

    /// <summary>What the inputs were in this call.</summary>
    public IReadOnlyList<Tensor> Tensors => _tensors;

    /// <summary>Paths that lead to a tensor that is an input already, under another handle.</summary>
    public IReadOnlyList<(AccessPath Path, AccessPath Twin)> Twins => _twins;

    /// <summary>Whether two inputs lay in the same memory when they were read first: the program may have freed them since.</summary>
    public bool WereShared(int a, int b) => _starts[a] != 0 && _starts[a] == _starts[b];

    /// <summary>Where a tensor comes from; null where the program computed it, or nobody knows.</summary>
    public AccessPath? SourceOf(Tensor tensor) => _sources.TryGetValue(tensor, out var source) ? source.Path : null;

    /// <summary>Whether a tensor comes from outside of the call.</summary>
    public bool IsExternal(Tensor tensor) => _sources.ContainsKey(tensor);

    /// <summary>Whether a tensor is known under another handle too.</summary>
    public bool HasTwin(Tensor tensor)
    {
        var identity = TensorMemory.Identity(tensor);
        return _values.Keys.Any(other => !ReferenceEquals(other, tensor) && !other.IsInvalid && TensorMemory.Identity(other) == identity);
    }

    /// <summary>Tells where a tensor comes from.</summary>
    /// <returns>The path that it is known by already; null where it is new.</returns>
    public AccessPath? AddSource(Tensor tensor, AccessPath path, GraphInputKind kind)
    {
        if (_sources.TryGetValue(tensor, out var known))
        {
            return known.Path;
        }

        _sources.Add(tensor, (path, kind));
        return null;
    }

    /// <summary>The value of a tensor; null where nobody knows where it comes from.</summary>
    public Value? Find(Tensor tensor)
    {
        if (_values.TryGetValue(tensor, out var value))
        {
            return value;
        }

        if (!_sources.TryGetValue(tensor, out var source))
        {
            return null;
        }

        // Another handle of a tensor that is an input already.
        var identity = TensorMemory.Identity(tensor);
        if (_byIdentity.TryGetValue(identity, out var twin) && (!twin.IsInvalid || WereGiven(source.Kind, _sources[twin].Kind)) && _values.TryGetValue(twin, out var same))
        {
            _values[tensor] = same;
            _twins.Add((source.Path, _sources[twin].Path));
            return same;
        }

        var input = builder.Input(TensorType.Of(tensor), source.Kind, name(tensor, source.Path));
        _inputs.Add(source.Path);
        _tensors.Add(tensor);
        _starts.Add(TensorMemory.Start(tensor));
        _values[tensor] = input;
        _byIdentity[identity] = tensor;
        return input;
    }

    /// <summary>The value of a tensor that has one already.</summary>
    public Value? Known(Tensor tensor) => _values.GetValueOrDefault(tensor);

    /// <summary>Says which value a tensor is from now on.</summary>
    public void Set(Tensor tensor, Value value) => _values[tensor] = value;

    /// <summary>A tensor that stays what it is.</summary>
    public Value Constant(Tensor tensor)
    {
        var path = AccessPath.Object(tensor);
        _sources[tensor] = (path, GraphInputKind.Constant);
        return Find(tensor)!;
    }

    /// <summary>Arguments were all there when the call began: what was freed since was another tensor than what is at another address, and the same as what is at the same.</summary>
    private static bool WereGiven(GraphInputKind a, GraphInputKind b) => a == GraphInputKind.Argument && b == GraphInputKind.Argument;
}
