using System.Collections;
using System.Reflection;
using System.Reflection.Metadata;
using System.Runtime.CompilerServices;
using Toolkit.Graphs.Il;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <content>
/// Objects that the call was given: their makers make new ones for each call, so what the program reads of them matters, not which they are. Where it does matter which one it is (it is kept, compared,
/// changed, handed to .NET), the graph stands for calls with this very object.
/// </content>
internal sealed partial class Tracer
{
    private const int MostGiven = 64;
    private readonly Dictionary<object, AccessPath> _given = new(ReferenceEqualityComparer.Instance);
    private readonly HashSet<object> _givenCollections = new(ReferenceEqualityComparer.Instance);

    /// <summary>Takes the arguments of the call as given.</summary>
    public void WatchArguments(object?[] arguments, Type[] types)
    {
        for (var i = 0; i < arguments.Length; i++)
        {
            WatchArgument(AccessPath.Argument(i, types[i]), arguments[i]);
        }
    }

    /// <summary>Where an object still is among what the call was given; null for others, and where it matters which one it is.</summary>
    public AccessPath? PathOfGiven(object value) => _given.TryGetValue(value, out var path) && !_written.Any(entry => path.Steps.Contains(entry.Field)) ? path : null;

    private void WatchArgument(AccessPath path, object? value)
    {
        switch (value)
        {
            case Tensor tensor:
                WatchTensor(path, tensor, GraphInputKind.Argument);
                break;
            case ITuple tuple when value.GetType().IsGenericType:
                _guards.Add(new TypeGuard(path, value.GetType()));
                WatchTuple(path, value, tuple);
                break;
            case IList list when IsTakenApart(value):
                _guards.Add(new TypeGuard(path, value.GetType()));
                _guards.Add(new ValueGuard(path.Then(CountOf(value)), list.Count));
                _givenCollections.Add(list);
                for (var i = 0; i < list.Count; i++)
                {
                    WatchArgument(path.Element(i, typeof(object)), list[i]);
                }

                break;
            case IDictionary dictionary when IsTakenApart(value):
                _guards.Add(new TypeGuard(path, value.GetType()));
                _guards.Add(new KeysGuard(path, [.. dictionary.Keys.Cast<object>()]));
                _givenCollections.Add(dictionary);
                foreach (DictionaryEntry entry in dictionary)
                {
                    WatchArgument(path.Element(entry.Key, typeof(object)), entry.Value);
                }

                break;
            case not null when IsPlain(value):
                WatchObject(path, value);
                break;
            default:
                Watch(path, value);
                break;
        }
    }

    /// <summary>An object of the program's own: its fields are looked at when they are read.</summary>
    private void WatchObject(AccessPath path, object value)
    {
        if (IsOuter(value))
        {
            Watch(path, value); // the module has it too
            return;
        }

        if (_given.TryGetValue(value, out var known))
        {
            _guards.Add(new AliasGuard(path.As(typeof(object)), known.As(typeof(object)), true));
            return;
        }

        _guards.Add(new TypeGuard(path, value.GetType()));
        _given.Add(value, path.As(value.GetType()));
        _call?.Given.Add(value);
    }

    private static MethodInfo CountOf(object value) => (value is Array ? typeof(Array).GetProperty("Length") : typeof(ICollection).GetProperty("Count"))!.GetMethod!;

    /// <summary>A short array of numbers, which programs make anew (the shape that something was computed for): its numbers matter.</summary>
    private void WatchArray(AccessPath path, Array numbers)
    {
        if (_given.TryGetValue(numbers, out var known))
        {
            _guards.Add(new AliasGuard(path.As(typeof(object)), known.As(typeof(object)), true));
            return;
        }

        _guards.Add(new NumbersGuard(path, (Array)numbers.Clone()));
        _given.Add(numbers, path.As(numbers.GetType()));
        _call?.Given.Add(numbers);
    }

    /// <summary>Whether a collection is known by its elements: it holds tensors, or is short and holds numbers, texts or objects of the program.</summary>
    private static bool IsTakenApart(object? value) => OpaqueCall.TensorsIn(value).Any() || (value switch
    {
        Array { Rank: 1, Length: <= MostGiven } array => array,
        IList { Count: <= MostGiven } list when LiveTypes.Is(value.GetType(), typeof(List<>)) => list,
        IDictionary { Count: <= MostGiven } dictionary when LiveTypes.Is(value.GetType(), typeof(Dictionary<,>)) && dictionary.Keys.Cast<object>().All(IsSimple) => dictionary.Values,
        _ => null,
    })?.Cast<object?>().All(element => IsSimple(element) || IsPlain(element!) || (element is IList or IDictionary && IsTakenApart(element))) == true;

    private static bool IsPlain(object value) => !value.GetType().IsValueType && value is not (Delegate or ITuple or IEnumerable) && LiveTypes.IsItsFields(value.GetType());

    /// <summary>From here on it matters which object it is.</summary>
    private void Pin(object? value)
    {
        if (value is not null && _given.Remove(value, out var path))
        {
            _guards.Add(new IdentityGuard(path, value));
            MarkOuter(value);
        }
    }

    /// <summary>Objects that are compared: whether they are one. What the call made itself is never one that was there before.</summary>
    private void PinCompared(ILOpCode code, StackValue a, StackValue b)
    {
        if (_given.Count > 0 && a.Reference is { } first && b.Reference is { } second && !_created.Contains(first) && !_created.Contains(second) && code is not (ILOpCode.Brtrue or ILOpCode.Brtrue_s or ILOpCode.Brfalse or ILOpCode.Brfalse_s))
        {
            Pin(first);
            Pin(second);
        }
    }

    /// <summary>Objects that .NET looks at, where nobody sees what it reads.</summary>
    private void PinHandedOn(MethodBase method, object? self, object?[] arguments)
    {
        if (_given.Count == 0 || (method.DeclaringType == typeof(object) && (method.IsConstructor || method.Name == "GetType")))
        {
            return;
        }

        Pin(self);
        foreach (var argument in arguments)
        {
            Pin(argument);
            foreach (var element in argument as object?[] ?? [])
            {
                Pin(element);
            }
        }
    }
}
