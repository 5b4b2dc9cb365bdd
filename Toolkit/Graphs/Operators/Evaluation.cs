using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>A call that is being computed: its tensors and numbers by the names of its parameters. The scalars that it makes live until it is disposed.</summary>
internal sealed class Evaluation(OperatorCall call, Tensor[] tensors) : IDisposable
{
    private readonly List<Scalar> _scalars = [];

    /// <summary>The call.</summary>
    public OperatorCall Call { get; } = call;

    /// <summary>The tensors, in order.</summary>
    public Tensor[] Tensors { get; } = tensors;

    /// <summary>The tensor of a parameter.</summary>
    public Tensor this[string parameter] => Optional(parameter) ?? throw new GraphException($"{Call.Operator.Name}: \"{parameter}\" was not given");

    /// <summary>The tensor of a parameter; null where none is given.</summary>
    public Tensor? Optional(string parameter) => Call.Has(parameter) ? Tensors[Call.TensorIndex(parameter)] : null;

    /// <summary>The tensors of a parameter, null where one is missing.</summary>
    public Tensor?[] List(string parameter)
    {
        var next = Call.TensorIndex(parameter);
        return [.. Call.ValueList(parameter).Select(value => value is null ? null : Tensors[next++])];
    }

    /// <summary>The number of a parameter.</summary>
    public Scalar Scalar(string parameter) => Call.Arguments[Call.Operator.IndexOf(parameter)] switch
    {
        IntegerArgument argument => Keep(argument.Number.ToScalar()),
        BooleanArgument argument => Keep(argument.Flag.ToScalar()),
        _ => Keep(Call.Number(parameter).ToScalar()),
    };

    /// <summary>The number of a parameter; null where none is given.</summary>
    public Scalar? OptionalScalar(string parameter) => Call.Has(parameter) ? Scalar(parameter) : null;

    /// <summary>A number.</summary>
    public Scalar Number(double number) => Keep(number.ToScalar());

    /// <summary>A whole number, which leaves integers what they are.</summary>
    public Scalar Number(long number) => Keep(number.ToScalar());

    /// <summary>The negative of a parameter's number, an integer where that is one.</summary>
    public Scalar Negative(string parameter) =>
        Call.Arguments[Call.Operator.IndexOf(parameter)] is IntegerArgument integer ? Keep((-integer.Number).ToScalar()) : Number(-Call.Number(parameter));

    /// <summary>The product of two parameters' numbers, an integer where both are.</summary>
    public Scalar Product(string a, string b) =>
        Call.Arguments[Call.Operator.IndexOf(a)] is not FloatArgument && Call.Arguments[Call.Operator.IndexOf(b)] is not FloatArgument
            ? Keep((Whole(a) * Whole(b)).ToScalar())
            : Number(Call.Number(a) * Call.Number(b));

    /// <summary>Whether a parameter is the number 1.</summary>
    public bool IsOne(string parameter) => Call.Number(parameter) == 1;

    /// <summary>An integer.</summary>
    public long Integer(string parameter) => Call.Integer(parameter);

    /// <summary>Integers.</summary>
    public long[] Integers(string parameter) => [.. Call.Integers(parameter) ?? throw new GraphException($"{Call.Operator.Name}: \"{parameter}\" was not given")];

    /// <summary>True or false.</summary>
    public bool Flag(string parameter) => Call.Flag(parameter);

    /// <summary>What the operator infers for an output.</summary>
    public TensorType Output(int index = 0) => Call.Operator.Infer(Call.Arguments)[index];

    /// <summary>A tensor without dimensions that holds a parameter's number, or the parameter's tensor, in the given type.</summary>
    public Tensor As(string parameter, ScalarType type, Device device) =>
        Call.Arguments[Call.Operator.IndexOf(parameter)] is ValueArgument ? this[parameter].to(type) : full([], Scalar(parameter), type, device);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var scalar in _scalars)
        {
            scalar.Dispose();
        }
    }

    private long Whole(string parameter) => Call.Arguments[Call.Operator.IndexOf(parameter)] is IntegerArgument integer ? integer.Number : (long)Call.Number(parameter);

    private Scalar Keep(Scalar scalar)
    {
        _scalars.Add(scalar);
        return scalar;
    }
}
