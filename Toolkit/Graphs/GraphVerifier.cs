namespace Toolkit.Graphs;

/// <summary>Says what is wrong with a graph: run between passes, so that the pass that spoiled it is named.</summary>
public static class GraphVerifier
{
    /// <summary>Checks a graph.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="pure">Whether operators may no longer change their inputs.</param>
    /// <exception cref="GraphException">A value is read before it is computed, computed twice or named like another; a type is not what the operator infers; an argument does not fit; a mutation does not.</exception>
    public static void Verify(Graph graph, bool pure = false)
    {
        var known = new HashSet<Value>(ReferenceEqualityComparer.Instance);
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var input in graph.Inputs)
        {
            Define(input, input.Path, known, names);
            Require(input.Producer is null, $"the input %{input.Name} is computed by {input.Producer?.Operator.Name}");
        }

        foreach (var node in graph.Nodes)
        {
            Check(node, known, pure);
            foreach (var output in node.Outputs)
            {
                Require(ReferenceEquals(output.Producer, node), $"%{output.Name} does not know that {node.Operator.Name} computes it");
                Define(output, node.Operator.Name, known, names);
            }
        }

        foreach (var output in graph.Outputs)
        {
            Require(known.Contains(output), $"the output %{output.Name} is computed nowhere");
        }

        var targets = new HashSet<Value>(ReferenceEqualityComparer.Instance);
        foreach (var (target, value) in graph.Mutations)
        {
            Require(graph.Inputs.Contains(target), $"%{target.Name} is overwritten and is no input");
            Require(targets.Add(target), $"the input %{target.Name} is overwritten twice");
            Require(known.Contains(value), $"%{value.Name}, which is left in %{target.Name}, is computed nowhere");
            Require(value.Type == target.Type, $"{value} is left in {target}");
        }
    }

    /// <summary>Checks a node by itself: its arguments, its body and what it makes.</summary>
    /// <exception cref="GraphException">Something does not fit.</exception>
    internal static void Verify(Node node) => Check(node, new HashSet<Value>(node.Inputs, ReferenceEqualityComparer.Instance), false);

    private static void Define(Value value, string by, HashSet<Value> known, HashSet<string> names)
    {
        Require(known.Add(value), $"%{value.Name} of {by} is there twice");
        Require(names.Add(value.Name), $"two values are named %{value.Name}, one of them of {by}");
    }

    private static void Check(Node node, HashSet<Value> known, bool pure)
    {
        var op = node.Operator;
        Require(node.Arguments.Length == op.Parameters.Length, $"{op.Name} has {op.Parameters.Length} parameters and {node.Arguments.Length} arguments");
        foreach (var value in node.Inputs)
        {
            Require(known.Contains(value), $"{op.Name} reads %{value.Name} before it is computed");
        }

        Require(!pure || !op.IsMutating, $"{op.Name} changes its input: the graph was not functionalised");
        for (var i = 0; i < op.Parameters.Length; i++)
        {
            Require(Fits(op.Parameters[i].Type, node.Arguments[i]), $"{op.Name}: \"{op.Parameters[i].Name}\" is {node.Arguments[i]} where {op.Parameters[i].Type} is wanted");
        }

        if (node.Body is { } body)
        {
            Verify(body, pure);
            Require(
                body.Inputs.Select(input => input.Type).SequenceEqual(node.Inputs.Select(value => value.Type))
                    && body.Outputs.Select(output => output.Type).SequenceEqual(node.Outputs.Select(output => output.Type)),
                $"the body of {op.Name} has other inputs or outputs than the node");
        }
        else if (op.CanInfer)
        {
            var types = op.Infer(node.Arguments);
            Require(
                types.SequenceEqual(node.Outputs.Select(output => output.Type)),
                $"{op.Name} makes {string.Join(", ", types.AsEnumerable())} and is said to make {string.Join(", ", node.Outputs.Select(output => output.Type))}");
        }
    }

    /// <summary>Whether an argument is of the kind that a schema's type asks for.</summary>
    private static bool Fits(string type, Argument argument)
    {
        if (argument is NoArgument)
        {
            return type.EndsWith('?') || type is "Layout" or "Device" or "MemoryFormat";
        }

        return type.TrimEnd('?') switch
        {
            "Tensor" => argument is ValueArgument,
            "Tensor[]" or "Tensor?[]" => argument is ValuesArgument,
            "int" or "SymInt" => argument is IntegerArgument,
            "int[]" or "SymInt[]" or "bool[]" => argument is IntegersArgument or IntegerArgument,
            "float" => argument is FloatArgument or IntegerArgument,
            "Scalar" => argument is FloatArgument or IntegerArgument or BooleanArgument,
            "bool" => argument is BooleanArgument,
            "str" => argument is TextArgument,
            "ScalarType" => argument is DataTypeArgument,
            "Device" => argument is DeviceArgument,
            _ => true,
        };
    }

    private static void Require(bool condition, string message)
    {
        if (!condition)
        {
            throw new GraphException(message);
        }
    }
}
