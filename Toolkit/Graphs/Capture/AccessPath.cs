using System.Collections;
using System.Collections.Immutable;
using System.Linq.Expressions;
using System.Reflection;
using Toolkit.Graphs.Il;

namespace Toolkit.Graphs.Capture;

/// <summary>How something is reached at each call: from an argument or from an object that stays, by fields, getters and elements.</summary>
internal sealed class AccessPath
{
    private readonly object? _root;
    private readonly int _argument;
    private readonly ImmutableArray<object> _steps;

    private AccessPath(object? root, int argument, Type type, ImmutableArray<object> steps) => (_root, _argument, Type, _steps) = (root, argument, type, steps);

    /// <summary>The object that it starts at; null for an argument or a static field.</summary>
    public object? Root => _root;

    /// <summary>Fields, getters and keys, in order.</summary>
    public ImmutableArray<object> Steps => _steps;

    /// <summary>Type of what is reached.</summary>
    public Type Type { get; }

    /// <summary>Whether it starts at an argument.</summary>
    public bool IsArgument => _argument >= 0;

    /// <summary>The argument that it is, not something in it; null where it is something else.</summary>
    public int? Direct => IsArgument && _steps.IsEmpty ? _argument : null;

    /// <summary>The field that it is; null where it is something else.</summary>
    public FieldInfo? LastField => _steps.LastOrDefault() as FieldInfo;

    /// <summary>Whether reading it makes a handle that the reader must free.</summary>
    public bool IsFresh => _steps.LastOrDefault() is MethodInfo method && method.DeclaringType!.Assembly == TorchSharpApi.Assembly && typeof(TorchSharp.torch.Tensor).IsAssignableFrom(Type);

    /// <summary>Whether a field is read on the way: of that object, or a static one.</summary>
    public bool Reads(object? owner, FieldInfo field) => (owner is null || ReferenceEquals(owner, _root)) && _steps.Contains(field);

    private bool IsVariable { get; init; }

    /// <summary>Number of the argument that it is; -1 where it is none, or part of one.</summary>
    public int ArgumentNumber => _steps.IsEmpty ? _argument : -1;

    /// <summary>An argument of the call.</summary>
    public static AccessPath Argument(int index, Type type) => new(null, index, type, []);

    /// <summary>A variable of the program that is alive where a part of a call begins: the part is given it as an argument.</summary>
    public static AccessPath Variable(int index) => new(null, index, typeof(object), []) { IsVariable = true };

    /// <summary>A field of an object, or of a type.</summary>
    public static AccessPath Field(object? owner, FieldInfo field) => new(owner, -1, field.FieldType, [field]);

    /// <summary>What a getter of an object gives.</summary>
    public static AccessPath Getter(object owner, MethodInfo getter) => new(owner, -1, getter.ReturnType, [getter]);

    /// <summary>An object that stays.</summary>
    public static AccessPath Object(object value) => new(value, -1, value.GetType(), []);

    /// <summary>A field of what is reached.</summary>
    public AccessPath Then(FieldInfo field) => To(field.FieldType, _steps.Add(field));

    /// <summary>What a getter of it gives.</summary>
    public AccessPath Then(MethodInfo getter) => To(getter.ReturnType, _steps.Add(getter));

    /// <summary>The same, known to be of a type.</summary>
    public AccessPath As(Type type) => To(type, _steps);

    /// <summary>An element of it.</summary>
    public AccessPath Element(object key, Type type) => To(type, _steps.Add(new Key(key)));

    /// <summary>Whether another leads from the same object along the same way.</summary>
    public bool IsSame(AccessPath other) => ReferenceEquals(_root, other._root) && _argument == other._argument && _steps.SequenceEqual(other._steps);

    /// <summary>Code that reads it.</summary>
    public Expression Read(Expression arguments, Func<object, Expression> constant)
    {
        Expression? current = _root is not null ? constant(_root) : IsArgument ? Expression.ArrayIndex(arguments, Expression.Constant(_argument)) : null;
        foreach (var step in _steps)
        {
            current = step switch
            {
                FieldInfo field => Expression.Field(field.IsStatic ? null : As(current!, field.DeclaringType!), field),
                MethodInfo getter => Expression.Call(As(current!, getter.DeclaringType!), getter),
                _ => Expression.Call(typeof(AccessPath), nameof(ElementAt), null, Expression.Convert(current!, typeof(object)), Expression.Constant(((Key)step).Value, typeof(object))),
            };
        }

        return As(current!, Type);
    }

    /// <summary>Reads it now, slowly.</summary>
    public object? Read(object?[] arguments)
    {
        var current = IsArgument ? arguments[_argument] : _root;
        foreach (var step in _steps)
        {
            current = step switch
            {
                FieldInfo field => field.GetValue(current),
                MethodInfo getter => getter.Invoke(current, null),
                _ => ElementAt(current!, ((Key)step).Value),
            };
        }

        return current;
    }

    /// <summary>An element by its place or its key.</summary>
    public static object? ElementAt(object collection, object key) => collection switch
    {
        IList list => list[(int)key],
        IDictionary dictionary => dictionary[key],
        _ => throw new InvalidOperationException($"no elements in {collection.GetType()}"),
    };

    public override string ToString()
    {
        var steps = string.Concat(_steps.Select(step => step switch
        {
            FieldInfo { IsStatic: true } field => MemberNames.Of(field),
            FieldInfo field => $".{MemberNames.Plain(field)}",
            MethodInfo getter => $".{getter.Name.Replace("get_", "", StringComparison.Ordinal)}",
            _ => $"[{((Key)step).Value}]",
        }));
        return IsArgument ? $"{(IsVariable ? "a local variable" : $"argument {_argument}")}{steps}" : _root is not null && MemberNames.Of(_root.GetType()) is { Length: > 0 } name ? name + steps : steps.TrimStart('.');
    }

    private AccessPath To(Type type, ImmutableArray<object> steps) => new(_root, _argument, type, steps) { IsVariable = IsVariable };

    private static Expression As(Expression value, Type type) => value.Type == type ? value : Expression.Convert(value, type);

    private sealed record Key(object Value);
}
