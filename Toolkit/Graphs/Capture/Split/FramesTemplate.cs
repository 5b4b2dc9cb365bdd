using System.Reflection;
using Toolkit.Graphs.Il;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>The calls that are under way where a graph ends at a break: made again after each run of the graph, so that the interpreter goes on with them.</summary>
internal sealed class FramesTemplate : Template
{
    private static readonly ConstantPart _constant = new(null);

    private readonly (MethodCode Code, int Place, bool IsLinked, Unwinding[] Unwindings, int Depth)[] _frames;
    private readonly (LiveSlot Slot, LivePart Part, StackValue Number)[] _slots;
    private readonly bool?[] _opened;
    private readonly int _regimes;
    private readonly int _objects;
    private readonly (int Hole, int Owner)[] _owners;

    private FramesTemplate(
        (MethodCode Code, int Place, bool IsLinked, Unwinding[] Unwindings, int Depth)[] frames,
        (LiveSlot Slot, LivePart Part, StackValue Number)[] slots,
        bool?[] opened,
        int regimes,
        int objects,
        (int Hole, int Owner)[] owners) =>
        (_frames, _slots, _opened, _regimes, _objects, _owners) = (frames, slots, opened, regimes, objects, owners);

    /// <summary>Of calls as they stand.</summary>
    /// <param name="frames">The calls.</param>
    /// <param name="builder">Takes apart what is alive in them.</param>
    /// <param name="tracer">What watched them.</param>
    /// <param name="call">The call that is split.</param>
    /// <param name="holes">The tensors; those that are alive are added.</param>
    /// <param name="before">The calls where the graph began, and which of their variables were alive; null at the beginning of the outermost one.</param>
    /// <param name="obstacle">Why they cannot be made again.</param>
    public static FramesTemplate? Of(Frame[] frames, LiveBuilder builder, Tracer tracer, SplitState call, List<Tensor> holes, (Frame[] Frames, LiveLayout Layout)? before, out string? obstacle)
    {
        obstacle = call.Obstacle ?? (call.HoldsLock ? "a lock is held" : Array.Exists(frames, PointKey.IsHandling) ? "an exception is being handled" : null);
        if (obstacle is not null)
        {
            return null;
        }

        var slots = new List<(LiveSlot, LivePart, StackValue)>();
        foreach (var slot in LiveLayout.Of(frames).Slots)
        {
            var value = LiveLayout.At(frames, slot);
            var isNumber = value.Kind is not (ValueKind.Object or ValueKind.Struct or ValueKind.Address);
            var known = isNumber && before is var (started, layout) ? layout.Untouched(started, frames, slot) : -1;
            if ((known >= 0 ? new GivenPart(known) : isNumber ? _constant : builder.Of(frames, value)) is not { } part)
            {
                obstacle = builder.Obstacle;
                return null;
            }

            slots.Add((slot, part, value));
        }

        // A tensor that was alive before keeps its owner, unless the program gave it another.
        var owners = call.Regimes.Exists(regime => regime.Value is DisposeScope)
            ? Enumerable.Range(0, holes.Count).Where(i => !tracer.Detached.Contains(holes[i]) && tracer.OwnerBefore(holes[i]) is var before && before != call.OwnerOf(holes[i]))
                .Select(i => (i, call.OwnerOf(holes[i]))).ToArray()
            : [];
        return new(
            [.. frames.Select(frame => (frame.Code, frame.Place, frame.IsLinked, frame.Unwindings.Reverse().Select(Copy).ToArray(), frame.Depth))],
            [.. slots],
            [.. call.Regimes.Skip(tracer.RegimesBefore).Select(regime => regime.Grad)],
            tracer.RegimesBefore,
            builder.Objects,
            owners);
    }

    /// <summary>Whether a call has as many scopes open as the one that was captured had.</summary>
    public bool Fits(SplitState? call) => call is not null && call.Regimes.Count == _regimes;

    /// <inheritdoc/>
    public override object? Fill(Func<int, Tensor> tensors) => throw new InvalidOperationException("calls are made again with what was alive");

    /// <inheritdoc/>
    public override ResultPart Describe() =>
        throw new CompiledArtifactException("calls of the module are split at a break, after which the program itself goes on (see Explain()): only what is captured whole can be saved");

    /// <summary>The calls.</summary>
    /// <param name="tensors">The tensors of the run.</param>
    /// <param name="live">What was alive where the graph began.</param>
    /// <param name="call">The call that is split.</param>
    public Frame[] Fill(Func<int, Tensor> tensors, object?[] live, SplitState call)
    {
        foreach (var grad in _opened)
        {
            call.Open(grad);
        }

        foreach (var (hole, owner) in _owners)
        {
            Move(tensors(hole), owner, call);
        }

        var frames = new Frame[_frames.Length];
        for (var i = 0; i < frames.Length; i++)
        {
            var (code, place, isLinked, unwindings, _) = _frames[i];
            frames[i] = new Frame(code, [.. code.Arguments.Select(StackValue.Default)]) { IsLinked = isLinked, Place = place };
            foreach (var unwinding in unwindings)
            {
                frames[i].Unwindings.Push(Copy(unwinding));
            }
        }

        var filling = new Filling(tensors, live, call, frames, new object?[_objects]);
        foreach (var (slot, part, number) in _slots)
        {
            var value = number.Kind switch
            {
                ValueKind.Object => StackValue.Object(part.Make(filling)),
                ValueKind.Struct => StackValue.Struct(part.Make(filling)),
                ValueKind.Address => StackValue.Address(part.Make(filling)),
                var kind => part is GivenPart ? LiveLayout.Number(kind, part.Make(filling)) : number,
            };
            var frame = frames[slot.Frame];
            switch (slot.Kind)
            {
                case SlotKind.Argument:
                    frame.Arguments[slot.Index] = value;
                    break;
                case SlotKind.Local:
                    frame.Locals[slot.Index] = value;
                    break;
                default:
                    frame.Push(value); // they are listed from the bottom to the top
                    break;
            }
        }

        return frames;
    }

    private static void Move(Tensor tensor, int owner, SplitState call)
    {
        if (owner >= 0)
        {
            tensor.MoveToOtherDisposeScope((DisposeScope)call.Regimes[owner].Value);
            return;
        }

        var first = (DisposeScope)call.Regimes.First(regime => regime.Value is DisposeScope).Value;
        if (!first.Contains(tensor))
        {
            tensor.MoveToOtherDisposeScope(first);
        }

        first.MoveToOuter(tensor);
    }

    private static Unwinding Copy(Unwinding unwinding) => unwinding with { Handlers = new(unwinding.Handlers) };
}
