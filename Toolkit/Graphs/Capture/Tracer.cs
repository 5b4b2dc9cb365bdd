using System.Reflection;
using Toolkit.Graphs.Il;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>
/// Watches one real call of a module: its operations become nodes, what it reads becomes guards, what it changes becomes effects. Where the graph must end the call goes
/// on for real, unwatched.
/// </summary>
internal sealed partial class Tracer : CaptureObserver, IDisposable
{
    private readonly GraphBuilder _builder = new();
    private readonly TensorTable _tensors;
    private readonly List<Guard> _guards = [];
    private readonly HashSet<object> _created;
    private readonly HashSet<object> _outer = new(ReferenceEqualityComparer.Instance);
    private readonly ModuleNames _names;
    private readonly nn.Module _root;
    private readonly bool _isWhole;
    private Interpreter? _interpreter;

    /// <summary>What the call does with numbers; null where nobody wants to know.</summary>
    public NumberTrace? Numbers { get; init; }

    /// <inheritdoc/>
    public override void Computing(System.Reflection.Metadata.ILOpCode code, StackValue a, StackValue b)
    {
        if (IsOpening)
        {
            Numbers?.Compute(code, a, b);
            PinCompared(code, a, b);
        }
    }

    /// <summary>Watches calls of a module.</summary>
    /// <param name="root">The module.</param>
    /// <param name="isWhole">Whether a graph that ends early is an error.</param>
    /// <param name="call">The call that is split where a graph ends; null where it is not to be split.</param>
    public Tracer(nn.Module root, bool isWhole, SplitState? call = null)
    {
        (_root, _isWhole, IsGradEnabled, _call) = (root, isWhole, is_grad_enabled(), call);
        _created = call?.Created ?? new(ReferenceEqualityComparer.Instance);
        _opened = [.. call?.Regimes.Select(regime => regime.Value) ?? []];
        _names = new ModuleNames(root);
        _tensors = new TensorTable(_builder, _names.NameOf);
        _outer.Add(root);
    }

    /// <summary>Why the graph ended early; null where it did not.</summary>
    public GraphBreak? Break { get; private set; }

    /// <summary>Whether gradients were recorded when the call began.</summary>
    public bool IsGradEnabled { get; }

    /// <summary>Whether the call turned the recording of gradients on, or off for good.</summary>
    public bool SwitchesGrad { get; private set; }

    /// <summary>Whether the call turned the recording of gradients off for a while.</summary>
    public bool TurnsGradOff { get; private set; }

    /// <summary>Whether something outside was changed that cannot be taken back.</summary>
    public bool HasChangedOutside { get; private set; }

    /// <summary>Calls that are recorded as they are.</summary>
    public List<string> OpaqueCalls { get; } = [];

    /// <inheritdoc/>
    public override bool IsOpening => Break is null;

    /// <summary>What runs the call.</summary>
    public Interpreter Interpreter => _interpreter ??= new Interpreter(this);

    /// <summary>The guards so far.</summary>
    public IReadOnlyList<Guard> Guards => _guards;

    /// <summary>Which values tensors are.</summary>
    public TensorTable Tensors => _tensors;

    /// <summary>The graph so far.</summary>
    public GraphBuilder Builder => _builder;

    /// <summary>Ends the graph here.</summary>
    /// <exception cref="InterpreterException">The whole call was asked for: no handler of the program may take it for an error of its own.</exception>
    public void End(string reason, string advice) => End(reason, advice, null);

    private void End(string reason, string advice, Origin? origin)
    {
        if (Break is not null)
        {
            return;
        }

        Break = new(reason, advice, origin ?? Here());
        if (_isWhole)
        {
            throw new InterpreterException(reason);
        }

        Pause();
    }

    /// <summary>Results of a call: whether gradients flow through them.</summary>
    public void NoteResults(Tensor[] results, object? self)
    {
        RequiresGrad |= IsGradEnabled && (self is nn.Module || Array.Exists(results, result => result.requires_grad));
        if (self is nn.Module module && _outer.Contains(module))
        {
            WatchTraining(module);
        }
    }

    /// <summary>Something outside was changed in place.</summary>
    public void NoteChange() => HasChangedOutside = true;

    /// <inheritdoc/>
    public override void Closed(MethodBase method, string reason) =>
        End($"{MemberNames.Of(method)} cannot be followed: {reason}", "move it out of forward, or write it with tensor operations",
            SourceMap.Find(method, 0) is null ? null : Place(method, 0));

    /// <inheritdoc/>
    public override void Created(object value) => _created.Add(value);

    /// <inheritdoc/>
    public override void Entering(MethodBase method, StackValue[] arguments) =>
        _names.Enter(method.IsStatic || method.Name is not ("forward" or "Forward" or "call") ? null : arguments[0].Reference as nn.Module);

    /// <inheritdoc/>
    public override void Leaving(MethodBase method) => _names.Leave();

    /// <summary>Where the program stands.</summary>
    public Origin Here()
    {
        // What compilers write themselves (the equality of a record) has no lines: then it is the caller that the program's author knows.
        var program = Interpreter.Positions().Where(position => position.Method.Module.Assembly != TorchSharpApi.Assembly && !typeof(ICompiledModule).IsAssignableFrom(position.Method.DeclaringType)).ToArray();
        var known = Array.FindIndex(program, position => SourceMap.Find(position.Method, position.Offset) is not null);
        if (program.Length == 0 && !Interpreter.Positions().Any())
        {
            return new(_names.Current, $"{MemberNames.Of(_root.GetType())}.forward");
        }

        var (method, offset) = program.Length == 0 ? Interpreter.Positions().First() : program[Math.Max(0, known)];
        return Place(method, offset);
    }

    private Origin Place(MethodBase method, int offset)
    {
        var place = SourceMap.Find(method, offset);
        return new(_names.Current, MemberNames.Of(method), place?.File, place?.Line ?? 0);
    }
}
