using System.Collections;
using System.Reflection;
using System.Runtime.CompilerServices;
using Toolkit.Graphs.Il;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <content>What the call was given and found outside: it becomes inputs of the graph, and guards of later calls.</content>
internal sealed partial class Tracer
{
    private readonly HashSet<object> _watched = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<(nn.Module, MethodInfo), Tensor> _getters = [];

    private static bool IsSimple(object? value) => value is null or string or Enum || value.GetType().IsPrimitive || value is decimal;

    private void WatchTuple(AccessPath path, object value, ITuple tuple)
    {
        var typed = value.GetType();
        for (var i = 0; i < Math.Min(tuple.Length, 7); i++)
        {
            var inner = typed.IsValueType ? path.Then(typed.GetField($"Item{i + 1}")!) : path.Then(typed.GetProperty($"Item{i + 1}")!.GetMethod!);
            WatchArgument(inner, tuple[i]);
        }

        if (tuple.Length > 7)
        {
            End("an argument is a tuple of more than seven items", "give a tuple of at most seven");
        }
    }

    /// <summary>Something from outside: it must be the same at each call, and its tensors are inputs.</summary>
    private void Watch(AccessPath path, object? value)
    {
        if (path.Type.IsValueType && Nullable.GetUnderlyingType(path.Type) is not null)
        {
            WatchNullable(path, value);
        }
        else if (IsSimple(value))
        {
            _guards.Add(new ValueGuard(path, value));
        }
        else if (value is Tensor tensor)
        {
            WatchTensor(path, tensor, GraphInputKind.Parameter);
        }
        else if (path.Type.IsValueType)
        {
            foreach (var field in value!.GetType().GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic))
            {
                Watch(path.Then(field), field.GetValue(value));
            }
        }
        else if (value is Array { Rank: 1, Length: <= MostGiven } numbers && numbers.GetType().GetElementType()!.IsPrimitive && !IsOuter(numbers))
        {
            WatchArray(path, numbers);
        }
        else
        {
            _guards.Add(path.IsArgument && value is Device device && value.GetType() == typeof(Device) ? new DeviceGuard(path, device) : new IdentityGuard(path, value!));
            MarkOuter(value);
        }
    }

    private void WatchNullable(AccessPath path, object? value)
    {
        if (value is null)
        {
            _guards.Add(new ValueGuard(path, null));
        }
        else if (IsSimple(value))
        {
            _guards.Add(new ValueGuard(path, value));
        }
        else
        {
            _guards.Add(new TypeGuard(path, value.GetType()));
            var inner = path.Then(path.Type.GetProperty("Value")!.GetMethod!);
            if (value is ITuple tuple)
            {
                WatchTuple(inner, value, tuple);
            }
            else
            {
                Watch(inner, value);
            }
        }
    }

    private void WatchTensor(AccessPath path, Tensor tensor, GraphInputKind kind)
    {
        if (tensor.IsInvalid)
        {
            End($"{path} is a tensor that was freed", "make sure that it lives as long as the module");
            return;
        }

        if (tensor.is_sparse)
        {
            End($"{path} is sparse", "sparse tensors are not captured");
            return;
        }

        if (_tensors.AddSource(tensor, path, kind) is { } known)
        {
            _guards.Add(new AliasGuard(path, known, true));
            return;
        }

        _guards.Add(new TensorGuard(path, new TensorCheck(tensor, IsGradEnabled)));
        RequiresGrad |= IsGradEnabled && tensor.requires_grad;
    }

    /// <summary>Whether gradients of something from outside are recorded.</summary>
    public bool RequiresGrad { get; private set; }

    /// <summary>A parameter that a module gives by a getter, with a new handle each time.</summary>
    public Value Parameter(nn.Module module, MethodInfo getter)
    {
        if (!_getters.TryGetValue((module, getter), out var tensor))
        {
            _getters[(module, getter)] = tensor = (Tensor)getter.Invoke(module, null)!;
            WatchTensor(AccessPath.Getter(module, getter), tensor, GraphInputKind.Parameter);
        }

        return _tensors.Find(tensor)!;
    }

    /// <summary>What a collection from outside holds must be the same at each call.</summary>
    private void WatchContents(object collection)
    {
        if (!_watched.Add(collection))
        {
            return;
        }

        if (Contents.Of(collection) is not { } contents)
        {
            End($"{Template.Article(MemberNames.Of(collection.GetType()))} of many elements is read", "keep it in a tensor");
            return;
        }

        var path = AccessPath.Object(collection);
        _guards.Add(new ContentGuard(path, contents));
        foreach (var element in contents.Elements)
        {
            WatchElement(element);
        }
    }

    private void WatchElement(object? element)
    {
        if (element is Tensor tensor)
        {
            WatchTensor(AccessPath.Object(tensor), tensor, GraphInputKind.Parameter);
        }
        else if (element is ITuple tuple)
        {
            for (var i = 0; i < tuple.Length; i++)
            {
                WatchElement(tuple[i]);
            }
        }
        else if (element is not null && element.GetType() is { IsGenericType: true } type && type.GetGenericTypeDefinition() == typeof(KeyValuePair<,>))
        {
            WatchElement(type.GetProperty("Key")!.GetValue(element));
            WatchElement(type.GetProperty("Value")!.GetValue(element));
        }
        else
        {
            MarkOuter(element);
        }
    }

    private void MarkOuter(object? value)
    {
        Pin(value);
        if (value is not null && !value.GetType().IsValueType && value is not string && !_created.Contains(value))
        {
            _outer.Add(value);
        }
    }
}
