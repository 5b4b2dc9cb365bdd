using System.Collections.Immutable;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>What is given to a parameter of an operator: values of the graph, or constants.</summary>
public abstract record Argument
{
    /// <summary>The values of the graph in it.</summary>
    public virtual IEnumerable<Value> Values => [];

    /// <summary>The value.</summary>
    public static implicit operator Argument(Value value) => new ValueArgument(value);

    /// <summary>The number.</summary>
    public static implicit operator Argument(long number) => new IntegerArgument(number);

    /// <summary>The number.</summary>
    public static implicit operator Argument(double number) => new FloatArgument(number);

    /// <summary>True or false.</summary>
    public static implicit operator Argument(bool flag) => new BooleanArgument(flag);

    /// <summary>The text.</summary>
    public static implicit operator Argument(string text) => new TextArgument(text);

    /// <summary>The type.</summary>
    public static implicit operator Argument(ScalarType type) => new DataTypeArgument(type);

    /// <summary>The numbers.</summary>
    public static implicit operator Argument(long[] numbers) => new IntegersArgument([.. numbers]);

    /// <summary>The extents.</summary>
    public static implicit operator Argument(Shape shape) => new IntegersArgument([.. shape]);

    /// <summary>The values.</summary>
    public static implicit operator Argument(Value[] values) => new ValuesArgument([.. values]);

    /// <summary>The same with other values.</summary>
    public virtual Argument Map(Func<Value, Value> other) => this;
}

/// <summary>Nothing: an optional parameter that is not given.</summary>
public sealed record NoArgument : Argument
{
    /// <summary>The one.</summary>
    public static readonly NoArgument Instance = new();

    /// <inheritdoc/>
    public override string ToString() => "none";
}

/// <summary>A tensor.</summary>
public sealed record ValueArgument(Value Value) : Argument
{
    /// <inheritdoc/>
    public override IEnumerable<Value> Values => [Value];

    /// <inheritdoc/>
    public override Argument Map(Func<Value, Value> other) => new ValueArgument(other(Value));

    /// <inheritdoc/>
    public override string ToString() => $"%{Value.Name}";
}

/// <summary>Tensors, some of which may be missing (an index for each dimension).</summary>
public sealed record ValuesArgument(ImmutableArray<Value?> Items) : Argument
{
    /// <inheritdoc/>
    public override IEnumerable<Value> Values => Items.OfType<Value>();

    /// <inheritdoc/>
    public override Argument Map(Func<Value, Value> other) => new ValuesArgument([.. Items.Select(item => item is null ? null : other(item))]);

    /// <inheritdoc/>
    public bool Equals(ValuesArgument? other) => other is not null && Items.SequenceEqual(other.Items);

    /// <inheritdoc/>
    public override int GetHashCode() => Items.Aggregate(Items.Length, HashCode.Combine);

    /// <inheritdoc/>
    public override string ToString() => $"[{string.Join(", ", Items.Select(item => item is null ? "none" : $"%{item.Name}"))}]";
}

/// <summary>An integer.</summary>
public sealed record IntegerArgument(long Number) : Argument
{
    /// <inheritdoc/>
    public override string ToString() => FormattableString.Invariant($"{Number}");
}

/// <summary>A real number.</summary>
public sealed record FloatArgument(double Number) : Argument
{
    /// <inheritdoc/>
    public override string ToString()
    {
        var text = Number.ToString("R", System.Globalization.CultureInfo.InvariantCulture);
        return text.All(c => char.IsAsciiDigit(c) || c == '-') ? text + ".0" : text;
    }
}

/// <summary>True or false.</summary>
public sealed record BooleanArgument(bool Flag) : Argument
{
    /// <inheritdoc/>
    public override string ToString() => Flag ? "true" : "false";
}

/// <summary>A text: the name of a mode.</summary>
public sealed record TextArgument(string Text) : Argument
{
    /// <inheritdoc/>
    public override string ToString() => System.Text.Json.JsonSerializer.Serialize(Text);
}

/// <summary>A type of values.</summary>
public sealed record DataTypeArgument(ScalarType Type) : Argument
{
    /// <inheritdoc/>
    public override string ToString() => DataTypes.Name(Type);
}

/// <summary>A device.</summary>
public sealed record DeviceArgument(string Device) : Argument
{
    /// <inheritdoc/>
    public override string ToString() => $"@{Device}";
}

/// <summary>Integers: a shape, dimensions, a padding.</summary>
public sealed record IntegersArgument(ImmutableArray<long> Numbers) : Argument
{
    /// <inheritdoc/>
    public bool Equals(IntegersArgument? other) => other is not null && Numbers.AsSpan().SequenceEqual(other.Numbers.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => Numbers.Aggregate(Numbers.Length, HashCode.Combine);

    /// <inheritdoc/>
    public override string ToString() => $"[{string.Join(", ", Numbers)}]";
}
