using Toolkit.Graphs.Il;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <content>A part of a call: up to a break, from one on, or between two.</content>
internal sealed partial class CaptureRun
{
    private readonly SplitState? _call;

    /// <summary>A part of a call of a method of a module.</summary>
    public CaptureRun(nn.Module module, System.Reflection.MethodInfo method, CompileOptions options, SplitState? call)
        : this(module, method, options) => _call = options.FullGraph ? null : call;

    /// <summary>Whether the call stands at a break, and goes on.</summary>
    public bool IsSuspended { get; private set; }

    /// <summary>Whether there was no operation before the break.</summary>
    public bool IsEmpty { get; private set; }

    /// <summary>Goes on with a call.</summary>
    /// <param name="frames">The calls that are under way.</param>
    /// <param name="live">What is alive in them.</param>
    /// <returns>What the call returns, or the <see cref="Frame"/>s at the next break.</returns>
    public object? Continue(Frame[] frames, object?[] live)
    {
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
        _call!.HasEffects |= tracer.HasChangedOutside || tracer.Written.Count > 0;
        if (tracer.Interpreter.TakeSuspended() is { } next)
        {
            FinishAtBreak(tracer, next, live);
            return next;
        }

        if (tracer.SwitchesGrad && tracer.RequiresGrad)
        {
            tracer.End("gradients are turned on or off where they are recorded", "use detach()");
        }

        if (tracer.Break is null)
        {
            Finish(tracer, result);
        }

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
        var isContinuation = ReferenceEquals(live, _call!.Arguments) is false;
        if (isContinuation && IsEmpty)
        {
            return;
        }

        var obstacle = tracer.SwitchesGrad && tracer.RequiresGrad ? "gradients are turned on or off where they are recorded" : null;
        if (obstacle is null)
        {
            obstacle = TryFinish(tracer, frames, live);
        }

        if (obstacle is not null)
        {
            Break = Break! with { Reason = $"{Break.Reason} (the call is not split there: {obstacle})" };
            BreakGuards = new GuardSet(tracer.Guards, [], tracer.IsGradEnabled);
            _call.Stop(Break.ToString());
        }
    }

    private string? TryFinish(Tracer tracer, Frame[] frames, object?[] live)
    {
        var holes = new List<Tensor>();
        int Hole(Tensor tensor)
        {
            var known = holes.FindIndex(other => ReferenceEquals(other, tensor));
            if (known < 0)
            {
                holes.Add(tensor);
            }

            return known < 0 ? holes.Count - 1 : known;
        }

        bool IsKept(object value) => value is ValueType ? HoldsOnlyNumbers(value.GetType()) : tracer.IsOuter(value);
        var builder = new LiveBuilder(_call!, live, Hole, tracer.IsOuter);
        if (FramesTemplate.Of(frames, builder, tracer, _call!, holes, out var obstacle) is not { } template)
        {
            return obstacle ?? "what is alive there cannot be made again";
        }

        var fields = new List<FieldEffect>();
        foreach (var (owner, field, _) in tracer.Written)
        {
            var now = field.GetValue(owner);
            if (Template.Of(now, Hole, IsKept) is not { } value || HoldsLive(now, builder))
            {
                return $"a new {field.FieldType.Name} is left in {field.DeclaringType!.Name}.{field.Name}";
            }

            fields.Add(new FieldEffect(owner, field, value));
        }

        Specialization = Build(tracer, template, holes, [.. fields]);
        return Specialization is null ? "a tensor is alive there that comes from where it cannot be followed" : null;
    }

    /// <summary>Whether an object is one of those that are made again, or holds one.</summary>
    private static bool HoldsLive(object? value, LiveBuilder builder) => value is not (null or Tensor or string)
        && (builder.Makes(value) || (value is System.Collections.IEnumerable items && items.Cast<object?>().Any(item => HoldsLive(item, builder))));

    private static int PlaceOf(Tracer tracer, Tensor tensor, Value value)
    {
        var path = tracer.Tensors.SourceOf(tensor);
        return value is GraphInput input ? tracer.Builder.Inputs.ToList().IndexOf(input) : tracer.Tensors.Inputs.ToList().FindIndex(other => ReferenceEquals(other, path));
    }

    /// <summary>
    /// Whether tensors that are alive at a break share memory with each other or with inputs, in a module that changes tensors in place: then they must go on sharing it, which only
    /// running operation by operation guarantees.
    /// </summary>
    private bool SharesMemory(Tracer tracer, List<Tensor> holes)
    {
        if (!InPlaceScan.Finds(_module))
        {
            return false;
        }

        var made = holes.Where(tensor => !tracer.Tensors.IsExternal(tensor)).Select(StorageOf).ToList();
        return made.Distinct().Count() < made.Count || made.Intersect(tracer.Tensors.Sources.Select(StorageOf)).Any();
    }

    private static nint StorageOf(Tensor tensor) => TensorCheck.StorageOf(tensor);
}
