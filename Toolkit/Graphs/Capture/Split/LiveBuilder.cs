using System.Collections;
using System.Reflection;
using Toolkit.Graphs.Il;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>Takes apart what is alive at a break, so that it can be made again.</summary>
/// <param name="call">The call.</param>
/// <param name="live">What was alive where the graph began; for the first one, the arguments.</param>
/// <param name="hole">Number of a tensor.</param>
/// <param name="tracer">What watched the call.</param>
internal sealed class LiveBuilder(SplitState call, object?[] live, Func<Tensor, int> hole, Tracer tracer)
{
    private readonly Dictionary<object, int> _known = new(ReferenceEqualityComparer.Instance);
    private readonly HashSet<int> _unfinished = [];
    private readonly List<LivePart?> _parts = [];

    /// <summary>How many objects there are that others may refer to.</summary>
    public int Objects => _known.Count;

    /// <summary>Why something cannot be made again.</summary>
    public string Obstacle { get; private set; } = "";

    /// <summary>Whether an object is one of those that are made again.</summary>
    public bool Makes(object value) => _known.ContainsKey(value);

    /// <summary>Takes the value of a variable apart; null where it cannot be made again.</summary>
    public LivePart? Of(Frame[] frames, StackValue value)
    {
        if (value.Kind == ValueKind.Address && value.Reference is not null)
        {
            return LiveLayout.Find(frames, value) is { } place ? new ReferencePart(place) : Refuse("a reference to a field or an element is on the stack");
        }

        return value.Kind == ValueKind.Struct ? OfStruct(value.Reference) : Of(value.Reference);
    }

    private LivePart? Of(object? value)
    {
        switch (value)
        {
            case null:
                return new ConstantPart(null);
            case Tensor tensor:
                return new TensorPart(hole(tensor));
            case nn.Module when !call.Created.Contains(value):
            case Delegate function when LiveTypes.IsUnbound(function):
                return new ConstantPart(value);
            case not ValueType when LiveTypes.IsImmutable(value):
                return new ConstantPart(value);
        }

        if (call.IndexOf(value) is >= 0 and var regime)
        {
            return new RegimePart(regime);
        }

        if (_known.TryGetValue(value, out var index))
        {
            return _unfinished.Contains(index) && value is Delegate or Array ? Refuse($"a {value.GetType().Name} that leads back to itself is alive there") : new AgainPart(_parts, index);
        }

        if (call.Created.Contains(value))
        {
            return LiveTypes.IsImmutable(value) ? new ConstantPart(value) : Made(value);
        }

        if (tracer.PathOfGiven(value) is { } path)
        {
            return new PathPart(path);
        }

        if (LiveTypes.IsImmutable(value) || tracer.KeepsOuter(value))
        {
            return new ConstantPart(value);
        }

        var given = Array.FindIndex(live, other => ReferenceEquals(other, value));
        return given >= 0 ? new GivenPart(given) : Refuse($"a {value.GetType().Name} is alive there, and nobody knows where it comes from");
    }

    private LivePart? OfStruct(object? value)
    {
        if (value is null || LiveTypes.IsImmutable(value))
        {
            return new ConstantPart(value);
        }

        if (value is InterpolatedText text)
        {
            return new TextPart(text.ToString());
        }

        if (value is SpanValue or RefStructValue or InlineArrayValue or SpanCursor || !LiveTypes.IsItsFields(value.GetType()))
        {
            return Refuse($"a {(value is RefStructValue bag ? bag.Type : value.GetType()).Name} is alive there");
        }

        return Fields(Number(new object()), value);
    }

    private LivePart? Made(object value)
    {
        var (index, type) = (Number(value), value.GetType());
        _unfinished.Add(index);
        LivePart? part = value switch
        {
            Array { Rank: 1 } array => Many(array) is { } items ? new ArrayPart(index, type.GetElementType()!, items) : null,
            Delegate function => function.GetInvocationList().Length == 1 && Of(function.Target) is { } target ? new DelegatePart(index, type, function.Method, target) : null,
            _ when LiveTypes.Is(type, typeof(List<>)) => Many((IList)value) is { } items ? new ListPart(index, type, items) : null,
            IDictionary dictionary when LiveTypes.Is(type, typeof(Dictionary<,>)) => Many(dictionary.Keys) is { } keys && Many(dictionary.Values) is { } values
                ? new DictionaryPart(index, type, type.GetProperty("Comparer")!.GetValue(value), keys, values)
                : null,
            _ when LiveTypes.IsItsFields(type) => Fields(index, value),
            _ => null,
        };
        _unfinished.Remove(index);
        if (part is not null)
        {
            _parts[index] = part;
        }

        return part ?? Refuse($"a {type.Name} is alive there");
    }

    private FieldsPart? Fields(int index, object value)
    {
        var parts = new List<(FieldInfo, LivePart)>();
        foreach (var field in LiveTypes.FieldsOf(value.GetType()))
        {
            var inner = field.GetValue(value);
            if ((field.FieldType.IsValueType ? OfStruct(inner) : Of(inner)) is not { } part)
            {
                return null;
            }

            parts.Add((field, part));
        }

        return new(index, value.GetType(), [.. parts]);
    }

    private LivePart[]? Many(IEnumerable values)
    {
        var element = values.GetType() is { IsArray: true } array ? array.GetElementType()! : values.GetType().GetGenericArguments().LastOrDefault(typeof(object));
        var parts = new List<LivePart>();
        foreach (var value in values)
        {
            if ((element.IsValueType && value is ValueType ? OfStruct(value) : Of(value)) is not { } part)
            {
                return null;
            }

            parts.Add(part);
        }

        return [.. parts];
    }

    private int Number(object value)
    {
        _known.Add(value, _known.Count);
        _parts.Add(null);
        return _known.Count - 1;
    }

    private LivePart? Refuse(string reason)
    {
        Obstacle = Obstacle == "" ? reason : Obstacle;
        return null;
    }
}
