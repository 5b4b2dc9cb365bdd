using System.Collections;
using System.Reflection;
using Toolkit.Graphs.Il;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <content>A call that is split: where it stops at a break, and what is alive where it goes on.</content>
internal sealed partial class Tracer
{
    private static readonly MethodInfo _target = typeof(Delegate).GetProperty(nameof(Delegate.Target))!.GetMethod!;

    private readonly SplitState? _call;
    private readonly object[] _opened;
    private readonly Dictionary<object, AccessPath> _alive = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<Tensor, int> _owners = new(ReferenceEqualityComparer.Instance);
    private readonly List<(int Index, ValueGuard Guard)> _numbers = [];
    private bool _isDone;

    /// <summary>Why a scope is closed by the interpreter itself, not by a graph: nothing that a person has to know of.</summary>
    public const string ScopeEnds = "a scope that was opened before the break is closed";

    /// <summary>Why the program itself goes on before a number is used that tensors gave in an earlier part of the call.</summary>
    public const string NumberIsUsed = "a number that is another each time is used";

    /// <summary>How many scopes of the call were open when the graph began.</summary>
    public int RegimesBefore => _opened.Length;

    /// <summary>The scope of the call that owns a tensor when the graph begins, or, if the graph computes it, right after the graph has run; -1 where none does.</summary>
    public int OwnerBefore(Tensor tensor) => _owners.TryGetValue(tensor, out var owner) ? owner
        : _tensors.IsExternal(tensor) ? -1
        : Array.FindLastIndex(_opened, opened => opened is DisposeScope);

    /// <summary>Takes what is alive where the call goes on.</summary>
    public void WatchState(object?[] live)
    {
        for (var i = 0; i < live.Length; i++)
        {
            var value = live[i];
            var path = AccessPath.Variable(i);
            if (value is SlotReference or RegimeReference)
            {
                _guards.Add(new ValueGuard(path, value));
            }
            else if (value is int or long or float or double)
            {
                _numbers.Add((i, new(path, value)));
            }
            else
            {
                WatchLive(path, value);
            }
        }
    }

    /// <summary>Of the numbers that were alive, those that were used are the same in each call that the graph stands for; others are handed on.</summary>
    public void WatchNumbers(Func<int, bool> isUsed) => _guards.AddRange(_numbers.Where(entry => isUsed(entry.Index)).Select(entry => entry.Guard));

    /// <summary>A number that the module counts up would be another in each call: the program itself reads it.</summary>
    private bool EndsAtChanging(FieldInfo field)
    {
        if (_call?.Changing.Contains(field) != true)
        {
            return false;
        }

        End($"{MemberNames.Of(field)} is another number in each call", "count outside of forward, or keep what changes between calls in a tensor");
        return true;
    }

    /// <inheritdoc/>
    public override void ReadingVolatile()
    {
        if (IsOpening)
        {
            End(NumberIsUsed, "");
        }
    }

    /// <summary>Stops the interpreter at a break, so that the call can be split there; where that cannot be the call goes on unwatched.</summary>
    private void Pause()
    {
        if (_call is { Obstacle: null } && !_isDone)
        {
            _interpreter?.Suspend();
        }
    }

    /// <summary>Scopes that were opened in an earlier part of the call are closed for real.</summary>
    private bool EndsRegime(MethodBase method, object? self)
    {
        if (_call is null || self is null || method.Name != "Dispose")
        {
            return false;
        }

        if (Array.Exists(_opened, opened => ReferenceEquals(opened, self)))
        {
            End(ScopeEnds, "");
            return true;
        }

        return _call.Close(self);
    }

    private void WatchLive(AccessPath path, object? value)
    {
        switch (value)
        {
            case Tensor tensor:
                WatchLiveTensor(path, tensor);
                break;
            case InterpolatedText:
                End("an interpolated string is half made", "make texts outside of forward");
                break;
            case Scalar scalar:
                _guards.Add(new ScalarGuard(path, ScalarGuard.NumberOf(scalar)));
                break;
            case not null when _call!.Created.Contains(value) || (value.GetType().IsValueType && !IsSimple(value)):
                WatchMade(path, value);
                break;
            case Delegate function when LiveTypes.IsUnbound(function):
                _guards.Add(new MethodGuard(path, function.Method));
                break;
            case not null when _call!.Given.Contains(value) || (value is IList or IDictionary && Array.Exists(_call.Arguments, given => ReferenceEquals(given, value))):
                WatchArgument(path, value);
                break;
            default:
                Watch(path, value);
                break;
        }
    }

    private void WatchLiveTensor(AccessPath path, Tensor tensor)
    {
        if (path.Type != typeof(Tensor))
        {
            _guards.Add(new TypeGuard(path, tensor.GetType()));
        }

        if (_call!.Regimes.Count > 0)
        {
            _owners[tensor] = _call.OwnerOf(tensor);
        }

        WatchTensor(path.As(typeof(Tensor)), tensor, GraphInputKind.Argument);
    }

    /// <summary>Something that the call made: what it consists of matters, not which it is.</summary>
    private void WatchMade(AccessPath path, object value)
    {
        var type = value.GetType();
        if (LiveTypes.IsImmutable(value))
        {
            _guards.Add(new ValueGuard(path, value));
            return;
        }

        if (!path.Type.IsValueType)
        {
            if (_alive.TryGetValue(value, out var known))
            {
                _guards.Add(new AliasGuard(path.As(typeof(object)), known, true));
                return;
            }

            _guards.Add(new TypeGuard(path, type));
            foreach (var (other, place) in _alive.Where(entry => entry.Key.GetType() == type && !type.IsValueType))
            {
                _guards.Add(new AliasGuard(path.As(typeof(object)), place, false));
            }

            _alive.Add(value, path.As(typeof(object)));
        }

        var typed = path.As(type);
        switch (value)
        {
            case Delegate function:
                _guards.Add(new MethodGuard(path, function.Method));
                WatchLive(typed.Then(_target), function.Target);
                break;
            case Array { Rank: not 1 }:
                End($"{Template.Article(MemberNames.Of(type))} is alive", "use arrays with one dimension");
                break;
            case IList list when type.IsArray || LiveTypes.Is(type, typeof(List<>)):
                _guards.Add(new ValueGuard(typed.Then(CountOf(value)), list.Count));
                for (var i = 0; i < list.Count; i++)
                {
                    WatchLive(typed.Element(i, typeof(object)), list[i]);
                }

                break;
            case IDictionary dictionary when LiveTypes.Is(type, typeof(Dictionary<,>)):
                _guards.Add(new ValueGuard(typed.Then(CountOf(value)), dictionary.Count));
                foreach (DictionaryEntry entry in dictionary)
                {
                    WatchLive(typed.Element(entry.Key, typeof(object)), entry.Value);
                }

                break;
            default:
                WatchFields(typed, value, type);
                break;
        }
    }

    private void WatchFields(AccessPath path, object value, Type type)
    {
        if (!LiveTypes.IsItsFields(type))
        {
            End($"{Template.Article(MemberNames.Of(type))} is alive", "keep it in a field of the module");
            return;
        }

        var version = LiveTypes.VersionOf(type);
        foreach (var field in LiveTypes.FieldsOf(type).Where(field => field != version))
        {
            var (inner, within) = (field.GetValue(value), path.Then(field));
            if (Nullable.GetUnderlyingType(field.FieldType) is not null)
            {
                WatchNullable(within, inner);
            }
            else if (field.FieldType.IsValueType && !IsSimple(inner))
            {
                WatchFields(within, inner!, field.FieldType);
            }
            else
            {
                WatchLive(within, inner);
            }
        }
    }
}
