using System.Collections;
using System.Reflection;
using System.Runtime.CompilerServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <content>What the call reads from outside, and what it leaves there.</content>
internal sealed partial class Tracer
{
    private readonly HashSet<(object? Owner, FieldInfo Field)> _seen = [];
    private readonly List<(object? Owner, FieldInfo Field, object? Before)> _written = [];
    private readonly HashSet<object> _watched = new(ReferenceEqualityComparer.Instance);

    /// <inheritdoc/>
    public override void Reading(object? owner, FieldInfo field)
    {
        if (!IsOpening || IsOurs(owner, field) || _seen.Contains((owner, field)) || EndsAtChanging(field) || !_seen.Add((owner, field)))
        {
            return;
        }

        if (owner is null)
        {
            RuntimeHelpers.RunClassConstructor(field.DeclaringType!.TypeHandle);
        }

        var path = AccessPath.Field(owner, field);
        if (owner is null && field.IsInitOnly && field.GetValue(null) is not Tensor and var constant)
        {
            MarkOuter(constant); // it cannot become another object
            return;
        }

        Watch(path, field.GetValue(owner));
    }

    /// <inheritdoc/>
    public override void Writing(object? owner, FieldInfo field)
    {
        if (!IsOpening || IsOurs(owner, field))
        {
            return;
        }

        // What is read after this is what was written.
        _seen.Add((owner, field));
        if (!_written.Any(entry => ReferenceEquals(entry.Owner, owner) && entry.Field == field))
        {
            _written.Add((owner, field, field.GetValue(owner)));
        }
    }

    /// <inheritdoc/>
    public override void ReadingElement(Array array)
    {
        if (IsOpening && _outer.Contains(array) && !_created.Contains(array))
        {
            WatchContents(array);
        }
    }

    /// <inheritdoc/>
    public override void WritingElement(Array array)
    {
        if (IsOpening && _outer.Contains(array) && !_created.Contains(array))
        {
            HasChangedOutside = true;
            End("an array that outlives the call is changed", "keep what stays between calls in a tensor and use copy_");
        }
    }

    /// <summary>Takes the arguments of the call as given.</summary>
    public void WatchArguments(object?[] arguments, Type[] types)
    {
        for (var i = 0; i < arguments.Length; i++)
        {
            WatchArgument(AccessPath.Argument(i, types[i]), arguments[i]);
        }
    }

    /// <summary>Fields that were written.</summary>
    public IReadOnlyList<(object? Owner, FieldInfo Field, object? Before)> Written => _written;

    /// <summary>Whether an object was there before the call.</summary>
    public bool IsOuter(object value) => _outer.Contains(value) && !_created.Contains(value);

    /// <summary>Puts back what was written to fields.</summary>
    public void Undo()
    {
        for (var i = _written.Count - 1; i >= 0; i--)
        {
            _written[i].Field.SetValue(_written[i].Owner, _written[i].Before);
        }
    }

    private static bool IsSimple(object? value) => value is null or string or Enum || value.GetType().IsPrimitive || value is decimal;

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
            case IList list when OpaqueCall.TensorsIn(value).Any():
                _guards.Add(new TypeGuard(path, value.GetType()));
                _guards.Add(new ValueGuard(path.Then(CountOf(value)), list.Count));
                for (var i = 0; i < list.Count; i++)
                {
                    WatchArgument(path.Element(i, typeof(object)), list[i]);
                }

                break;
            case IDictionary dictionary when OpaqueCall.TensorsIn(value).Any():
                _guards.Add(new TypeGuard(path, value.GetType()));
                _guards.Add(new ValueGuard(path.Then(CountOf(value)), dictionary.Count));
                foreach (DictionaryEntry entry in dictionary)
                {
                    WatchArgument(path.Element(entry.Key, typeof(object)), entry.Value);
                }

                break;
            default:
                Watch(path, value);
                break;
        }
    }

    private static MethodInfo CountOf(object value) => (value is Array ? typeof(Array).GetProperty("Length") : typeof(ICollection).GetProperty("Count"))!.GetMethod!;

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

    private readonly Dictionary<(nn.Module, MethodInfo), Tensor> _getters = [];

    /// <summary>What a collection from outside holds must be the same at each call.</summary>
    private void WatchContents(object collection)
    {
        if (!_watched.Add(collection))
        {
            return;
        }

        if (Contents.Of(collection) is not { } contents)
        {
            End($"a {collection.GetType().Name} of many elements is read", "keep it in a tensor");
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
        if (value is not null && !value.GetType().IsValueType && value is not string && !_created.Contains(value))
        {
            _outer.Add(value);
        }
    }

    /// <summary>Objects that the call made, and what compilers keep for themselves.</summary>
    private bool IsOurs(object? owner, FieldInfo field) => field.IsLiteral || owner is Tensor or Scalar or Device
        || (owner is null ? field.DeclaringType!.Name is "<>c" or "<>O" or "<PrivateImplementationDetails>" || field.DeclaringType.Name.StartsWith("<>", StringComparison.Ordinal) : _created.Contains(owner));
}
