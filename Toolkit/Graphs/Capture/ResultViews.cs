using Toolkit.Graphs.Passes;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>
/// A tensor that comes out of a call as a view of something: of an argument, of a parameter, of another result. It is taken anew at each call, so that what shares memory in the program shares
/// it here, and what does not, does not.
/// </summary>
internal sealed class ResultViews
{
    private readonly (Node Node, int Index)[] _steps;

    private ResultViews((Node, int)[] steps) => _steps = steps;

    /// <summary>The tensor itself, under another handle.</summary>
    public static ResultViews Same { get; } = new([]);

    /// <summary>What a value is a view of, and how.</summary>
    /// <param name="value">The value.</param>
    /// <param name="isCertain">Whether to stop at what may be a copy: where memory is changed, taking it anew would not give what it was.</param>
    public static (Value Root, ResultViews? Views) Of(Value value, bool isCertain = false)
    {
        var steps = new Stack<(Node, int)>();
        var isSame = false;
        while (value.Producer is { } node && node.Inputs.FirstOrDefault() is { } source)
        {
            if (IsView(node) && !(isCertain && !Views.IsCertain(node)))
            {
                steps.Push((node, value.Index));
            }
            else if (!IsWrittenHere(node))
            {
                break;
            }

            isSame = true;
            value = source;
        }

        return (value, isSame ? new([.. steps]) : null);
    }

    /// <summary>A graph with the tensors of a result as outputs, views taken.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="result">What is returned.</param>
    /// <param name="holes">For each tensor of it: the output of the graph that it is, or, counted from -1 downwards, the input.</param>
    /// <param name="views">For each of them, which view it is.</param>
    public static Graph Returned(Graph graph, Template result, IReadOnlyList<int> holes, IReadOnlyList<ResultViews?> views)
    {
        var builder = new GraphBuilder();
        builder.CopyInputs(graph);
        foreach (var node in graph.Nodes)
        {
            builder.Copy(node);
        }

        var outputs = result.Describe().Holes.Select(hole =>
        {
            var root = builder.Of(holes[hole] >= 0 ? graph.Outputs[holes[hole]] : graph.Inputs[-1 - holes[hole]]);
            return views[hole]?.Apply(builder, root) ?? root;
        }).ToArray();
        return builder.Build(outputs, graph.Mutations.Select(mutation => new Mutation((GraphInput)builder.Of(mutation.Target), builder.Of(mutation.Value))));
    }

    /// <summary>The same views, of another graph.</summary>
    public ResultViews Map(Func<Node, Node> other) => new([.. _steps.Select(step => (other(step.Node), step.Index))]);

    /// <summary>The view of a value, in a graph.</summary>
    public Value Apply(GraphBuilder builder, Value root)
    {
        foreach (var (node, index) in _steps)
        {
            var value = root;
            root = builder.Add(node.Operator, [.. node.Arguments.Select(argument => argument.Map(_ => value))], [.. node.Outputs.Select(output => output.Type)]).Outputs[index];
        }

        return root;
    }

    /// <summary>The view of a tensor, under a handle of its own.</summary>
    public Tensor Take(Tensor root)
    {
        if (_steps.Length == 0)
        {
            return root.alias();
        }

        using var scope = NewDisposeScope();
        var tensor = root;
        foreach (var (node, index) in _steps)
        {
            tensor = node.Operator.Evaluate(new(node.Operator, node.Arguments), [tensor])[index];
        }

        return tensor.MoveToOuterDisposeScope();
    }

    private static bool IsView(Node node) => node.Operator.Parameters[0].IsAliased && !node.Operator.IsMutating && node.Inputs.Skip(1).Any() is false
        && node.Operator.Name != "aten::as_strided" && Views.MayShare(node);

    /// <summary>An operation in place gives back what it changed.</summary>
    private static bool IsWrittenHere(Node node) => node.Operator.IsMutating && node.Outputs.Length == 1 && node.Operator.Parameters[0] is { IsWritten: true, Type: "Tensor" };
}
