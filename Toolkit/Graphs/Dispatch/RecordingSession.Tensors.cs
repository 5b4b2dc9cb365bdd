using static TorchSharp.torch;

namespace Toolkit.Graphs.Dispatch;

/// <content>Which value a tensor is.</content>
internal sealed unsafe partial class RecordingSession
{
    private readonly Dictionary<nint, Value> _byObject = [];
    private readonly Dictionary<MemoryKey, Value> _byMemory = [];
    private readonly Dictionary<nint, string> _paths = [];
    private readonly Dictionary<MemoryKey, string> _pathsByMemory = [];
    private readonly List<nint> _alive = [];
    private readonly List<(GraphInput Input, nint Handle)> _strangers = [];

    /// <summary>Tensors that came from elsewhere than from an argument or an operator: one for each input behind the arguments.</summary>
    public IReadOnlyList<(GraphInput Input, nint Handle)> Strangers => _strangers;

    /// <summary>An argument.</summary>
    /// <exception cref="GraphException">It is an argument already.</exception>
    public void AddArgument(Tensor tensor, string name)
    {
        var slot = (nint*)tensor.Handle;
        if (_byObject.TryGetValue(*slot, out var other))
        {
            throw new GraphException($"the argument {name} is the same tensor as {((GraphInput)other).Path}");
        }

        Remember(slot, Builder.Input(TensorType.Of(tensor), GraphInputKind.Argument, name), isNew: true);
        GC.KeepAlive(tensor);
    }

    /// <summary>A tensor that belongs to the module.</summary>
    public void AddOwned(Tensor tensor, string path)
    {
        var slot = (nint*)tensor.Handle;
        _paths.TryAdd(*slot, path);
        if (MemoryKey.Of(_symbols, slot) is { } key)
        {
            _pathsByMemory.TryAdd(key, path);
        }

        GC.KeepAlive(tensor);
    }

    /// <summary>The value that a tensor is.</summary>
    public Value ValueOf(Tensor tensor)
    {
        var value = ValueOf((nint*)tensor.Handle);
        GC.KeepAlive(tensor);
        return value;
    }

    /// <summary>The value that stands for a tensor; null where the recording never saw it.</summary>
    public Value? Known(Tensor tensor)
    {
        var slot = (nint*)tensor.Handle;
        var isKnown = _byObject.TryGetValue(*slot, out var value) || (MemoryKey.Of(_symbols, slot) is { } key && _byMemory.TryGetValue(key, out value));
        GC.KeepAlive(tensor);
        return isKnown ? value : null;
    }

    private bool IsNothing(nint slot) => slot == 0 || *(nint*)slot == _symbols.Undefined;

    private Value ValueOf(nint* slot)
    {
        if (_byObject.TryGetValue(*slot, out var value))
        {
            return value;
        }

        if (MemoryKey.Of(_symbols, slot) is { } key && _byMemory.TryGetValue(key, out value))
        {
            Remember(slot, value, isNew: true);
            return value;
        }

        var path = _paths.GetValueOrDefault(*slot) ?? (MemoryKey.Of(_symbols, slot) is { } memory ? _pathsByMemory.GetValueOrDefault(memory) : null);
        var input = Builder.Input(TypeOf(slot), path is null ? GraphInputKind.Constant : GraphInputKind.Parameter, path ?? $"constant{_strangers.Count}");
        Remember(slot, input, isNew: true);
        _strangers.Add((input, _alive[^1]));
        return input;
    }

    /// <summary>From now on an object of libtorch is a value. What an operator in place returns is its first argument, which stays what it is.</summary>
    private void Remember(nint* slot, Value value, bool isNew)
    {
        if (!_byObject.TryAdd(*slot, value) && !isNew)
        {
            return;
        }

        nint* handle;
        if (_symbols.NewTensor(slot, &handle) != 0)
        {
            throw new GraphException("a tensor cannot be kept");
        }

        _alive.Add((nint)handle);
        if (MemoryKey.Of(_symbols, slot) is { } key)
        {
            _byMemory[key] = value;
        }
    }

    private TensorType TypeOf(nint* slot)
    {
        var key = MemoryKey.Describe(_symbols, slot);
        return new(key.Type, Shape.Create(key.Sizes), key.Device);
    }
}
