using System.Collections;
using System.Reflection;
using System.Runtime.CompilerServices;
using Toolkit.Graphs.Il;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>An object with holes where its tensors were: what a call returns, leaves in a field, or is given.</summary>
internal abstract partial class Template
{
    private static readonly FieldInfo _indexTensor = typeof(TensorIndex).GetField("tensor", BindingFlags.Instance | BindingFlags.NonPublic)!;

    /// <summary>The object, with tensors in its holes.</summary>
    public abstract object? Fill(Func<int, Tensor> tensors);

    /// <summary>What it is, for a file.</summary>
    /// <exception cref="CompiledArtifactException">It cannot be made again from a file.</exception>
    public virtual ResultPart Describe() => throw new CompiledArtifactException($"a {GetType().Name} is returned, which an artifact cannot make again");

    /// <summary>Whether another is the same object with the same holes.</summary>
    public virtual bool IsSame(Template other) => false;

    /// <summary>What a file describes.</summary>
    /// <exception cref="FormatException">That is nothing.</exception>
    public static Template From(ResultPart part)
    {
        Template[] Parts() => [.. part.Parts?.Select(From) ?? throw new FormatException($"a {part.Kind} has no parts")];
        Type Named() => TypeNames.Find(part.Type ?? throw new FormatException($"a {part.Kind} has no type"));
        switch (part.Kind)
        {
            case "tensor":
                return new Hole(part.Hole);
            case "constant":
                return new Constant(TypeNames.Value(part.Value, Named()));
            case "array" or "list":
                return new Sequence(Named(), Parts(), part.Kind == "list");
            case "tuple" when Named().IsAssignableTo(typeof(ITuple)):
                return new TupleOf(Named(), Parts());
            case "dictionary" when Named().IsAssignableTo(typeof(IDictionary)) && part.Keys is { } keys:
                return new Map(Named(), [.. keys.Select(key => TypeNames.Value(key, Named().GetGenericArguments()[0])!)], Parts());
            default:
                throw new FormatException($"there is no {part.Kind} of {part.Type}");
        }
    }

    /// <summary>The tensor of an index, if it is one.</summary>
    public static Tensor? TensorOf(TensorIndex index) => (Tensor?)_indexTensor.GetValue(index);

    /// <summary>Takes an object apart.</summary>
    /// <param name="value">The object.</param>
    /// <param name="hole">Number of the hole for a tensor.</param>
    /// <param name="isConstant">Whether an object may be kept as it is.</param>
    /// <param name="isMade">Whether an object of the program's own types may be made again field by field.</param>
    /// <returns>Null where it holds what cannot be made again.</returns>
    public static Template? Of(object? value, Func<Tensor, int> hole, Func<object, bool> isConstant, Func<object, bool>? isMade = null)
    {
        switch (value)
        {
            case null or string or Type or Device or TorchSharp.Scalar:
                return new Constant(value);
            case Tensor { IsInvalid: true }:
                return new Constant(value); // no tensor: the weights of MultiheadAttention that nobody wanted
            case Tensor tensor:
                return new Hole(hole(tensor));
            case not (ValueType or SpanValue) when isConstant(value):
                return new Constant(value);
            case TensorIndex index:
                return TensorOf(index) is { } inner ? new Index(index, hole(inner)) : new Constant(value);
            case SpanValue span:
                return Of(span.ToArray(), hole, isConstant, isMade) is { } elements ? new Span(span.ElementType, elements) : null;
            case Array { Rank: 1 } array:
                return Parts(array, hole, isConstant, isMade) is { } parts ? new Sequence(array.GetType().GetElementType()!, parts, false) : null;
            case ITuple tuple when value.GetType().IsGenericType:
                return Parts(Enumerable.Range(0, tuple.Length).Select(i => tuple[i]), hole, isConstant, isMade) is { } items ? new TupleOf(value.GetType(), items) : null;
            case IList list when value.GetType() is { IsGenericType: true } type && type.GetGenericTypeDefinition() == typeof(List<>):
                return Parts(list, hole, isConstant, isMade) is { } entries ? new Sequence(type.GetGenericArguments()[0], entries, true) : null;
            case IDictionary dictionary when value.GetType() is { IsGenericType: true } type && type.GetGenericTypeDefinition() == typeof(Dictionary<,>):
                return Parts(dictionary.Values, hole, isConstant, isMade) is { } values ? new Map(type, [.. dictionary.Keys.Cast<object>()], values) : null;
            default:
                return value.GetType().IsPrimitive || value is Enum || isConstant(value) ? new Constant(value)
                    : isMade?.Invoke(value) == true ? Fields.Of(value, part => Of(part, hole, isConstant, isMade)) : null;
        }
    }

    /// <summary>Whether templates are the same, one by one.</summary>
    public static bool AreSame(IReadOnlyList<Template> some, IReadOnlyList<Template> others) => some.Count == others.Count && some.Zip(others).All(pair => pair.First.IsSame(pair.Second));

    private static Template[]? Parts(IEnumerable values, Func<Tensor, int> hole, Func<object, bool> isConstant, Func<object, bool>? isMade)
    {
        var parts = values.Cast<object?>().Select(value => Of(value, hole, isConstant, isMade)).ToArray();
        return Array.TrueForAll(parts, part => part is not null) ? [.. parts.OfType<Template>()] : null;
    }

    /// <summary>What stays.</summary>
    private sealed class Constant(object? value) : Template
    {
        private object? Value => value;

        public override bool IsSame(Template other) => other is Constant constant && (ReferenceEquals(value, constant.Value) || (value is string or ValueType && value.Equals(constant.Value)));

        public override object? Fill(Func<int, Tensor> tensors) => value;

        public override ResultPart Describe() => new("constant", TypeNames.Of(value?.GetType() ?? typeof(object)), Value: TypeNames.Text(value));
    }

    /// <summary>A tensor.</summary>
    private sealed class Hole(int number) : Template
    {
        private int Number => number;

        public override bool IsSame(Template other) => other is Hole hole && hole.Number == number;

        public override object? Fill(Func<int, Tensor> tensors) => tensors(number);

        public override ResultPart Describe() => new("tensor", Hole: number);
    }

    /// <summary>An index that is a tensor.</summary>
    private sealed class Index(TensorIndex index, int number) : Template
    {
        public override object? Fill(Func<int, Tensor> tensors)
        {
            object copy = index;
            _indexTensor.SetValue(copy, tensors(number));
            return copy;
        }
    }

    /// <summary>A span.</summary>
    private sealed class Span(Type element, Template elements) : Template
    {
        private Type ElementType => element;

        private Template Elements => elements;

        public override bool IsSame(Template other) => other is Span span && span.ElementType == element && span.Elements.IsSame(elements);

        public override object? Fill(Func<int, Tensor> tensors) => SpanValue.Of((Array)elements.Fill(tensors)!, element);
    }

    /// <summary>An array or a list.</summary>
    private sealed class Sequence(Type element, Template[] parts, bool isList) : Template
    {
        private (Type Type, bool IsList, Template[] Parts) Own => (element, isList, parts);

        public override bool IsSame(Template other) => other is Sequence { Own: var own } && own.Type == element && own.IsList == isList && AreSame(own.Parts, parts);

        public override object? Fill(Func<int, Tensor> tensors)
        {
            var array = Array.CreateInstance(element, parts.Length);
            for (var i = 0; i < parts.Length; i++)
            {
                array.SetValue(parts[i].Fill(tensors), i);
            }

            return isList ? Activator.CreateInstance(typeof(List<>).MakeGenericType(element), array) : array;
        }

        public override ResultPart Describe() => new(isList ? "list" : "array", TypeNames.Of(element), Parts: [.. parts.Select(part => part.Describe())]);
    }

    /// <summary>A tuple of either kind.</summary>
    private sealed class TupleOf(Type type, Template[] items) : Template
    {
        private (Type Type, Template[] Items) Own => (type, items);

        public override bool IsSame(Template other) => other is TupleOf { Own: var own } && own.Type == type && AreSame(own.Items, items);

        public override object? Fill(Func<int, Tensor> tensors) => Make(type, [.. items.Select(item => item.Fill(tensors))]);

        public override ResultPart Describe() => new("tuple", TypeNames.Of(type), Parts: [.. items.Select(item => item.Describe())]);

        private static object Make(Type type, object?[] values)
        {
            var own = type.GetGenericArguments().Length;
            return values.Length == own && own < 8
                ? Activator.CreateInstance(type, values)!
                : Activator.CreateInstance(type, [.. values[..7], Make(type.GetGenericArguments()[7], values[7..])])!;
        }
    }

    /// <summary>A dictionary.</summary>
    private sealed class Map(Type type, object[] keys, Template[] values) : Template
    {
        private (Type Type, object[] Keys, Template[] Values) Own => (type, keys, values);

        public override bool IsSame(Template other) => other is Map { Own: var own } && own.Type == type && own.Keys.SequenceEqual(keys) && AreSame(own.Values, values);

        public override object? Fill(Func<int, Tensor> tensors)
        {
            var dictionary = (IDictionary)Activator.CreateInstance(type)!;
            for (var i = 0; i < keys.Length; i++)
            {
                dictionary[keys[i]] = values[i].Fill(tensors);
            }

            return dictionary;
        }

        public override ResultPart Describe() => new("dictionary", TypeNames.Of(type), Keys: [.. keys.Select(key => TypeNames.Text(key)!)], Parts: [.. values.Select(value => value.Describe())]);
    }
}
