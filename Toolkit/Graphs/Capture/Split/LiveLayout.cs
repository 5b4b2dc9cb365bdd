using System.Reflection.Metadata;
using Toolkit.Graphs.Il;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>What kind of variable of a call.</summary>
internal enum SlotKind
{
    Argument,
    Local,
    Stack,
}

/// <summary>A variable of one of the calls that are under way.</summary>
internal readonly record struct LiveSlot(int Frame, SlotKind Kind, int Index);

/// <summary>A managed reference to a variable, in a form that can be compared between calls.</summary>
internal sealed record SlotReference(LiveSlot Slot, Type Type);

/// <summary>A scope that the call opened, by its place.</summary>
internal sealed record RegimeReference(int Index);

/// <summary>Which variables of the calls that are under way are still needed when they go on: dead ones are neither compared nor kept.</summary>
internal sealed class LiveLayout
{
    private LiveLayout(LiveSlot[] slots) => Slots = slots;

    /// <summary>The variables.</summary>
    public LiveSlot[] Slots { get; }

    /// <summary>Of calls as they stand.</summary>
    public static LiveLayout Of(Frame[] frames)
    {
        var slots = new List<LiveSlot>();
        for (var f = 0; f < frames.Length; f++)
        {
            var (frame, isUnderWay) = (frames[f], f < frames.Length - 1);
            var liveness = Liveness.Of(frame.Code);
            for (var i = 0; i < frame.Arguments.Length; i++)
            {
                if (liveness.IsArgumentLive(i, frame.Place, isUnderWay) || (i == 0 && IsReceiverNeeded(frames, f)))
                {
                    slots.Add(new(f, SlotKind.Argument, i));
                }
            }

            for (var i = 0; i < frame.Locals.Length; i++)
            {
                if (liveness.IsLocalLive(i, frame.Place, isUnderWay))
                {
                    slots.Add(new(f, SlotKind.Local, i));
                }
            }

            for (var i = 0; i < frame.Depth; i++)
            {
                slots.Add(new(f, SlotKind.Stack, i));
            }
        }

        return new(Closed(frames, slots));
    }

    /// <summary>What the variables hold now; null where one holds what cannot be compared between calls.</summary>
    public object?[]? Read(Frame[] frames, SplitState call)
    {
        var values = new object?[Slots.Length];
        for (var i = 0; i < values.Length; i++)
        {
            var value = At(frames, Slots[i]);
            switch (value.Kind)
            {
                case ValueKind.Int32:
                    values[i] = value.Int32;
                    break;
                case ValueKind.Int64 or ValueKind.NativeInt:
                    values[i] = value.Int64;
                    break;
                case ValueKind.Single:
                    values[i] = (float)value.Double;
                    break;
                case ValueKind.Double:
                    values[i] = value.Double;
                    break;
                case ValueKind.Address when value.Reference is not null:
                    if (Find(frames, value) is not { } place || !Slots.Contains(place.Slot))
                    {
                        return null;
                    }

                    values[i] = place;
                    break;
                default:
                    if (value.Reference is SpanValue or RefStructValue or InlineArrayValue or SpanCursor)
                    {
                        return null;
                    }

                    values[i] = value.Reference is { } reference && call.Regimes.Count > 0 && call.IndexOf(reference) is >= 0 and var regime ? new RegimeReference(regime) : value.Reference;
                    break;
            }
        }

        return values;
    }

    /// <summary>Begins to look which variables are read.</summary>
    public static void Watch(Frame[] frames, IReadOnlySet<(MethodCode Code, SlotKind Kind, int Index)> changing)
    {
        foreach (var frame in frames)
        {
            var touched = new byte[frame.Arguments.Length + frame.Locals.Length];
            for (var i = 0; i < touched.Length && changing.Count > 0; i++)
            {
                var isArgument = i < frame.Arguments.Length;
                touched[i] = changing.Contains((frame.Code, isArgument ? SlotKind.Argument : SlotKind.Local, isArgument ? i : i - frame.Arguments.Length)) ? (byte)3 : (byte)0;
            }

            frame.Touched = touched;
        }
    }

    /// <summary>How a variable was used since then; what is on the stack counts as read.</summary>
    public static byte TouchOf(Frame[] frames, LiveSlot slot) => slot.Kind == SlotKind.Stack || frames[slot.Frame].Touched is not { } touched
        ? (byte)1
        : touched[slot.Kind == SlotKind.Argument ? slot.Index : frames[slot.Frame].Arguments.Length + slot.Index];

    /// <summary>The place of a number among the values of <see cref="Read"/> that a variable of later frames still holds because nobody touched it; -1 where there is none.</summary>
    public int Untouched(Frame[] before, Frame[] now, LiveSlot slot)
    {
        var frame = Array.IndexOf(before, now[slot.Frame]);
        return frame < 0 || TouchOf(before, slot with { Frame = frame }) is 1 or 2 ? -1 : Array.IndexOf(Slots, slot with { Frame = frame });
    }

    /// <summary>A number out of the values of <see cref="Read"/>.</summary>
    public static StackValue Number(ValueKind kind, object? value) => kind switch
    {
        ValueKind.Int32 => StackValue.Of((int)value!),
        ValueKind.Int64 => StackValue.Of((long)value!),
        ValueKind.NativeInt => StackValue.Native((long)value!),
        ValueKind.Single => StackValue.Of((float)value!),
        _ => StackValue.Of((double)value!),
    };

    /// <summary>What a variable holds.</summary>
    public static StackValue At(Frame[] frames, LiveSlot slot) => slot.Kind switch
    {
        SlotKind.Argument => frames[slot.Frame].Arguments[slot.Index],
        SlotKind.Local => frames[slot.Frame].Locals[slot.Index],
        _ => frames[slot.Frame].Stack[slot.Index],
    };

    /// <summary>The variable that a managed reference points to; null where it points to something else.</summary>
    public static SlotReference? Find(Frame[] frames, StackValue value)
    {
        if (value.Reference is not SlotLocation location)
        {
            return null;
        }

        for (var f = 0; f < frames.Length; f++)
        {
            if (ReferenceEquals(frames[f].Locals, location.Slots))
            {
                return new(new(f, SlotKind.Local, location.Index), location.Type);
            }

            if (ReferenceEquals(frames[f].Arguments, location.Slots))
            {
                return new(new(f, SlotKind.Argument, location.Index), location.Type);
            }
        }

        return null;
    }

    /// <summary>A module's name is wanted for what its forward does; what a constructor makes is what it returns.</summary>
    private static bool IsReceiverNeeded(Frame[] frames, int index) => frames[index].Arguments[0].Reference is nn.Module
        || (index > 0 && frames[index - 1].Code.Instructions[frames[index - 1].Place].Code == ILOpCode.Newobj);

    /// <summary>With the variables that others point to.</summary>
    private static LiveSlot[] Closed(Frame[] frames, List<LiveSlot> slots)
    {
        var known = slots.ToHashSet();
        for (var i = 0; i < slots.Count; i++)
        {
            if (Find(frames, At(frames, slots[i])) is { } place && known.Add(place.Slot))
            {
                slots.Add(place.Slot);
            }
        }

        return [.. slots];
    }
}
