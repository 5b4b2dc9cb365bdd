using System.Collections;
using System.Reflection;
using System.Reflection.Metadata;
using Toolkit.Graphs.Il;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>
/// Runs a call between two graphs: the break itself and the program's own code after it, for real and unrecorded, up to the next operation on tensors. What it sees of the program is
/// only what tells whether objects of the call became known outside.
/// </summary>
internal sealed class Walker : CaptureObserver
{
    private readonly Dictionary<MethodBase, bool> _effects = [];
    private Interpreter? _interpreter;
    private SplitState? _call;
    private long _first;

    /// <summary>Begins with a call.</summary>
    public Interpreter Begin(SplitState call)
    {
        _call = call;
        return _interpreter = new Interpreter(this);
    }

    /// <summary>Forgets the call.</summary>
    public void End() => (_call, _interpreter) = (null, null);

    /// <summary>Goes on with calls; the instruction at which they stand is executed whatever it is.</summary>
    public object? Run(Frame[] frames)
    {
        var prefix = frames[^1].Code.Instructions[frames[^1].Place].Code == ILOpCode.Constrained ? 2 : 1;
        _first = _interpreter!.Steps + prefix;
        return _interpreter.Resume(frames);
    }

    /// <inheritdoc/>
    public override object? Leaf(MethodBase method, object? self, object?[] arguments, Func<object?> run)
    {
        if (method.DeclaringType == typeof(Ops.CpuKernel))
        {
            return false; // loops over memory cannot be followed: the engine's operations take their plain definitions
        }

        if (_call!.Obstacle is null && _interpreter!.Steps > _first && method.Name != "get_Handle" && TorchSharpApi.Break(method, arguments) is null && _interpreter.Suspend())
        {
            return null;
        }

        _call.HasEffects |= method.Name.EndsWith('_') || method.Name.StartsWith("set_", StringComparison.Ordinal);
        return run();
    }

    /// <inheritdoc/>
    public override void BeforeNative(MethodBase method, object? self, object?[] arguments)
    {
        var type = method.DeclaringType!;
        if (self is not null && method.Name == "Dispose" && _call!.Close(self))
        {
            return;
        }

        if (type.Assembly == TorchSharpApi.Assembly || type == typeof(Interruption))
        {
            return;
        }

        if (!_call!.HasEffects)
        {
            _call.HasEffects = (self is IEnumerable && !_call.Created.Contains(self) && !HostApi.OnlyReads(method)) || HasEffect(method, self, arguments);
        }

        var isKept = self is null ? type.Namespace?.StartsWith("System", StringComparison.Ordinal) != true : self is not (ValueType or Delegate or string) && !_call.Created.Contains(self);
        if (isKept && Array.Find(arguments, IsOfCall) is { } known)
        {
            _call.Stop($"{Template.Article(MemberNames.Of(known.GetType()))} of the call is given to {MemberNames.Of(method)}");
        }
    }

    /// <inheritdoc/>
    public override void AfterNative(MethodBase method, object? self, object?[] arguments, object? result) => _call!.Note(method, self, result);

    /// <inheritdoc/>
    public override void Created(object value) => _call!.Created.Add(value);

    /// <inheritdoc/>
    public override void Writing(object? owner, FieldInfo field)
    {
        if ((owner is null || !_call!.Created.Contains(owner)) && field.DeclaringType?.Name.StartsWith("<>", StringComparison.Ordinal) != true)
        {
            Escapes(field.FieldType, $"{MemberNames.Of(field)} is written after a break");
        }
    }

    /// <inheritdoc/>
    public override void WritingElement(Array array)
    {
        if (!_call!.Created.Contains(array))
        {
            Escapes(array.GetType().GetElementType()!, "an array that outlives the call is written after a break");
        }
    }

    private bool HasEffect(MethodBase method, object? self, object?[] arguments)
    {
        if (!_effects.TryGetValue(method, out var known))
        {
            _effects[method] = known = HostApi.Break(method, self, arguments) is not null;
        }

        return known;
    }

    /// <summary>Whether an object is one of the call's, or a value that holds one: a value itself is copied.</summary>
    private bool IsOfCall(object? value) => value is not (null or Tensor or string) && !LiveTypes.IsImmutable(value) && value is not Delegate
        && (value is ValueType ? Array.Exists(LiveTypes.FieldsOf(value.GetType()), field => IsOfCall(field.GetValue(value))) : _call!.Created.Contains(value));

    /// <summary>What the call made may be known outside from here on: it cannot be replaced any more.</summary>
    private void Escapes(Type type, string reason)
    {
        _call!.HasEffects = true;
        if (!type.IsValueType && type != typeof(string) && !typeof(Tensor).IsAssignableFrom(type))
        {
            _call.Stop(reason);
        }
    }
}
