using Toolkit.Graphs.Il;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <content>A part of a call: up to a break, from one on, or between two.</content>
internal sealed partial class CaptureRun
{
    private readonly SplitState? _call;

    /// <summary>Where a part of a call changes what was made in an earlier part, anything may be a view of anything: then it runs operation by operation, as the program does.</summary>
    private bool _isContinuation;

    private (Frame[] Frames, LiveLayout Layout)? _before;

    /// <summary>A part of a call of a method of a module.</summary>
    public CaptureRun(nn.Module module, System.Reflection.MethodInfo method, CompileOptions options, SplitState? call)
        : this(module, method, options) => _call = options.FullGraph ? null : call;

    /// <summary>Whether the call stands at a break, and goes on.</summary>
    public bool IsSuspended { get; private set; }

    /// <summary>Whether there was no operation before the break.</summary>
    public bool IsEmpty { get; private set; }

    /// <summary>Goes on with a call.</summary>
    /// <param name="frames">The calls that are under way.</param>
    /// <param name="layout">Which of their variables are alive.</param>
    /// <param name="live">What is alive in them.</param>
    /// <param name="changing">Numbers that are others each time: a graph ends before it would use them.</param>
    /// <returns>What the call returns, or the <see cref="Frame"/>s at the next break.</returns>
    public object? Continue(Frame[] frames, LiveLayout layout, object?[] live, IReadOnlySet<(MethodCode Code, SlotKind Kind, int Index)> changing)
    {
        (_isContinuation, _before) = (true, (frames, layout));
        LiveLayout.Watch(frames, changing);
        using var tracer = new Tracer(_module, _options.FullGraph, _call);
        tracer.WatchState(live);
        if (tracer.Break is not null)
        {
            (IsSuspended, IsEmpty) = (true, true);
            return frames;
        }

        object? result;
        try
        {
            result = tracer.Interpreter.Resume(frames);
        }
        catch (InterpreterException)
        {
            tracer.Undo();
            _call!.HasEffects |= tracer.HasChangedOutside;
            throw;
        }

        OpaqueCalls = tracer.OpaqueCalls;
        tracer.WatchNumbers(i => LiveLayout.TouchOf(frames, layout.Slots[i]) == 1);
        _call!.HasEffects |= tracer.HasChangedOutside || tracer.Written.Count > 0;
        if (tracer.Interpreter.TakeSuspended() is { } next)
        {
            FinishAtBreak(tracer, next, live);
            return next;
        }

        Conclude(tracer, result);
        Break = tracer.Break;
        if (Break is not null)
        {
            _call.Stop(Break.ToString());
        }

        return result;
    }

    /// <summary>Makes a graph of what ran up to a break.</summary>
    private void FinishAtBreak(Tracer tracer, Frame[] frames, object?[] live)
    {
        (IsSuspended, IsEmpty, Break) = (true, tracer.Builder.Nodes.Count == 0, tracer.Break);
        _call!.HasEffects |= tracer.HasChangedOutside || tracer.Written.Count > 0;
        if (_isContinuation && IsEmpty)
        {
            return;
        }

        var obstacle = tracer.RequiresGrad && (tracer.SwitchesGrad || tracer.TurnsGradOff) ? "gradients are turned on or off where they are recorded" : null;
        if (obstacle is null)
        {
            obstacle = TryFinish(tracer, frames, live);
        }

        if (obstacle is not null)
        {
            Break = Break! with { Reason = $"{Break.Reason} (the call is not split there: {obstacle})" };
            BreakGuards = new GuardSet(tracer.Guards, [], tracer.IsGradEnabled);
            _call!.Stop(Break.ToString());
        }
    }

    private string? TryFinish(Tracer tracer, Frame[] frames, object?[] live)
    {
        var holes = new List<Tensor>();
        int Hole(Tensor tensor) => PlaceIn(holes, tensor);
        bool IsKept(object value) => IsKeptOutside(tracer, value);
        var builder = new LiveBuilder(_call!, live, Hole, tracer);
        if (FramesTemplate.Of(frames, builder, tracer, _call!, holes, _before, out var obstacle) is not { } template)
        {
            return obstacle ?? "what is alive there cannot be made again";
        }

        var fields = new List<FieldEffect>();
        foreach (var (owner, field, _) in tracer.Written)
        {
            var now = field.GetValue(owner);
            if (Template.Of(now, Hole, IsKept) is not { } value || HoldsLive(now, builder))
            {
                return $"a new {MemberNames.Of(field.FieldType)} is left in {MemberNames.Of(field)}";
            }

            fields.Add(new FieldEffect(owner, field, value));
        }

        Specialization = Build(tracer, template, holes, [.. fields]);
        return Specialization is null ? "a tensor is alive there that comes from where it cannot be followed" : null;
    }

    /// <summary>Whether an object is one of those that are made again, or holds one.</summary>
    private static bool HoldsLive(object? value, LiveBuilder builder) => value is not (null or Tensor or string)
        && (builder.Makes(value) || (value is System.Collections.IEnumerable items && items.Cast<object?>().Any(item => HoldsLive(item, builder))));
}
