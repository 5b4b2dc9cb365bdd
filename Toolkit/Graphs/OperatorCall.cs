using System.Collections.Immutable;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>An operator with its arguments, read by the names of its parameters.</summary>
/// <param name="Operator">The operator.</param>
/// <param name="Arguments">One for each parameter.</param>
public readonly record struct OperatorCall(Operator Operator, ImmutableArray<Argument> Arguments)
{
    /// <summary>The values among the arguments, in order, with repetitions.</summary>
    public IEnumerable<Value> Values => Arguments.SelectMany(argument => argument.Values);

    /// <summary>Whether a parameter is given something.</summary>
    public bool Has(string parameter) => this[parameter] is not NoArgument;

    /// <summary>The type of a tensor.</summary>
    public TensorType Type(string parameter) => Value(parameter).Type;

    /// <summary>A tensor.</summary>
    public Value Value(string parameter) => this[parameter] is ValueArgument argument ? argument.Value : throw Unfit(parameter, "a tensor");

    /// <summary>Place of the parameter's (first) tensor among <see cref="Values"/>.</summary>
    public int TensorIndex(string parameter) => Arguments.Take(Operator.IndexOf(parameter)).Sum(argument => argument.Values.Count());

    /// <summary>Tensors, some of which may be missing.</summary>
    public ImmutableArray<Value?> ValueList(string parameter) => this[parameter] is ValuesArgument argument ? argument.Items : throw Unfit(parameter, "tensors");

    /// <summary>An integer.</summary>
    public long Integer(string parameter) => this[parameter] is IntegerArgument argument ? argument.Number : throw Unfit(parameter, "an integer");

    /// <summary>A number of either kind.</summary>
    public double Number(string parameter) => this[parameter] switch
    {
        FloatArgument argument => argument.Number,
        IntegerArgument argument => argument.Number,
        BooleanArgument argument => argument.Flag ? 1 : 0,
        _ => throw Unfit(parameter, "a number"),
    };

    /// <summary>True or false.</summary>
    public bool Flag(string parameter) => this[parameter] is BooleanArgument argument ? argument.Flag : throw Unfit(parameter, "true or false");

    /// <summary>A text; null where none is given.</summary>
    public string? Text(string parameter) => this[parameter] switch
    {
        TextArgument argument => argument.Text,
        NoArgument => null,
        _ => throw Unfit(parameter, "a text"),
    };

    /// <summary>A type of values; null where none is given.</summary>
    public ScalarType? DataType(string parameter) => this[parameter] switch
    {
        DataTypeArgument argument => argument.Type,
        NoArgument => null,
        _ => throw Unfit(parameter, "a type of values"),
    };

    /// <summary>A device; null where none is given.</summary>
    public string? Device(string parameter) => this[parameter] switch
    {
        DeviceArgument argument => argument.Device,
        NoArgument => null,
        _ => throw Unfit(parameter, "a device"),
    };

    /// <summary>Integers; null where none are given.</summary>
    public ImmutableArray<long>? Integers(string parameter) => this[parameter] switch
    {
        IntegersArgument argument => argument.Numbers,
        IntegerArgument argument => [argument.Number],
        NoArgument => null,
        _ => throw Unfit(parameter, "integers"),
    };

    private Argument this[string parameter] => Arguments[Operator.IndexOf(parameter)];

    private GraphException Unfit(string parameter, string wanted) => new($"{Operator.Name}: \"{parameter}\" is {this[parameter]} where {wanted} is wanted");
}
