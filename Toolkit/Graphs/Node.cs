using System.Collections.Immutable;

namespace Toolkit.Graphs;

/// <summary>One operation of a graph.</summary>
public sealed class Node
{
    internal Node(Operator op, ImmutableArray<Argument> arguments, ImmutableArray<Value> outputs, Origin origin, Graph? body)
    {
        (Operator, Arguments, Outputs, Origin, Body) = (op, arguments, outputs, origin, body);
        for (var i = 0; i < outputs.Length; i++)
        {
            (outputs[i].Producer, outputs[i].Index) = (this, i);
        }
    }

    /// <summary>What it does.</summary>
    public Operator Operator { get; }

    /// <summary>What it does it to: one for each parameter of the operator, defaults filled in.</summary>
    public ImmutableArray<Argument> Arguments { get; }

    /// <summary>What comes out.</summary>
    public ImmutableArray<Value> Outputs { get; }

    /// <summary>Where it comes from.</summary>
    public Origin Origin { get; }

    /// <summary>For a fused operation: what it consists of. Its inputs stand for <see cref="Inputs"/>, in order.</summary>
    public Graph? Body { get; }

    /// <summary>The one output.</summary>
    /// <exception cref="InvalidOperationException">There is not just one.</exception>
    public Value Output => Outputs.Length == 1 ? Outputs[0] : throw new InvalidOperationException($"{Operator.Name} has {Outputs.Length} outputs");

    /// <summary>The values that it reads, in order, with repetitions.</summary>
    public IEnumerable<Value> Inputs => Arguments.SelectMany(argument => argument.Values);

    /// <summary>The argument of the parameter of that name.</summary>
    /// <exception cref="KeyNotFoundException">The operator has no such parameter.</exception>
    public Argument this[string parameter] => Arguments[Operator.IndexOf(parameter)];

    /// <summary>As in <c>%3: f32[2, 16] = aten::mul.Tensor(%1, %2)</c>.</summary>
    public override string ToString() => $"{string.Join(", ", Outputs)} = {Operator.Name}({string.Join(", ", Arguments)})";
}
