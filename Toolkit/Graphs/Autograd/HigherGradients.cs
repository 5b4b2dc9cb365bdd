using System.Runtime.InteropServices;
using Toolkit.Graphs.Dispatch;
using Toolkit.Graphs.Passes;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Autograd;

/// <summary>
/// Gradients that have gradients themselves (<c>create_graph</c>). The compiled backward pass has none: the forward pass is run again, operation by operation under autograd, on what the call was
/// given, and autograd takes the gradients of that. What was drawn is drawn again, and what the call overwrote is kept as it was.
/// </summary>
internal sealed class HigherGradients
{
    private readonly DispatcherExecutor _forward;
    private readonly JointGraph _joint;
    private readonly int[] _inputs;
    private readonly int[] _constants;
    private readonly int[] _places;
    private readonly int[] _more;
    private readonly HashSet<int> _overwritten;
    private readonly bool _isRandom;

    /// <summary>For a joint graph that was cut in two.</summary>
    /// <param name="joint">The graph.</param>
    /// <param name="partition">Its parts.</param>
    /// <param name="isConstant">Whether an input of the forward graph is the same at each call.</param>
    public HigherGradients(JointGraph joint, GraphPartition partition, Func<int, bool> isConstant)
    {
        var graph = Differentiable(joint, partition.Forward);
        _joint = joint;
        _isRandom = graph.Nodes.Any(node => node.Operator.Kind == OperatorKind.Random);
        var isRead = graph.Nodes.SelectMany(node => node.Inputs).Concat(graph.Outputs).ToHashSet(ReferenceEqualityComparer.Instance);
        _inputs = [.. Enumerable.Range(0, graph.Inputs.Length).Where(i => isRead.Contains(graph.Inputs[i]))];
        _constants = [.. _inputs.Where(isConstant)];
        _forward = new(OnlyOf(graph, _inputs));
        _overwritten = [.. partition.Forward.Mutations.Select(mutation => partition.Forward.Inputs.IndexOf(mutation.Target))];
        _more = [.. _inputs.Where(i => !_constants.Contains(i) && (_overwritten.Contains(i) || !partition.SavedInputs.Contains(i)))];
        _places = [.. _inputs.Select(i => Array.IndexOf(_more, i) is var place and >= 0 ? partition.SavedOutputs.Length + partition.SavedInputs.Length + place : partition.SavedOutputs.Length + partition.SavedInputs.IndexOf(i))];
    }

    /// <summary>Whether they were held against those of the compiled backward pass.</summary>
    public bool IsTried { get; set; }

    /// <summary>What is to be kept for them, beside what the backward pass is given. The forward pass has not run yet.</summary>
    public IEnumerable<Tensor> Keep(Tensor[] inputs)
    {
        var kept = _more.Select(i => _overwritten.Contains(i) ? inputs[i].clone() : inputs[i]);
        return _isRandom ? kept.Append(get_rng_state()) : kept;
    }

    /// <summary>How many tensors <see cref="Keep"/> gives.</summary>
    public int Kept => _more.Length + (_isRandom ? 1 : 0);

    /// <summary>Takes them.</summary>
    /// <param name="saved">All that was kept for the call.</param>
    /// <param name="constant">The inputs of the forward graph that are the same at each call.</param>
    /// <param name="gradients">Those of the outputs that have one; none at the places of others.</param>
    /// <param name="sources">The inputs whose gradients are taken.</param>
    /// <returns>A gradient for each source, none where nothing leads to it.</returns>
    /// <exception cref="ExternalException">libtorch refuses.</exception>
    public Tensor?[] Take(Tensor[] saved, Func<int, Tensor> constant, Tensor?[] gradients, int[] sources)
    {
        using var scope = NewDisposeScope();
        var inputs = _inputs.Select((input, i) => _constants.Contains(input) ? constant(input) : saved[_places[i]]).Select(tensor => tensor.detach()).ToArray();
        var wanted = new Tensor?[sources.Length];
        for (var i = 0; i < sources.Length; i++)
        {
            // A view leads to what was given, and has a gradient of its own.
            if (Array.IndexOf(_inputs, sources[i]) is var place and >= 0)
            {
                wanted[i] = inputs[place] = saved[_places[place]].view_as(saved[_places[place]]);
            }
        }

        var outputs = Run(inputs, _isRandom ? saved[^1] : null);
        var given = Enumerable.Range(0, outputs.Length).Where(i => gradients[i] is not null).ToArray();

        // autograd.grad would end the process where libtorch refuses. The other way leaves gradients where they were asked for, of which libtorch warns once.
        using var quiet = Warnings.Off();
        autograd.backward([.. given.Select(i => outputs[i])], [.. given.Select(i => gradients[i]!)], retain_graph: true, create_graph: true, [.. wanted.OfType<Tensor>()]);
        return [.. wanted.Select(Gradient)];
    }

    /// <summary>The gradient of a tensor, which lets go of it: the two would hold each other for good.</summary>
    private static Tensor? Gradient(Tensor? tensor)
    {
        var gradient = tensor?.grad;
        if (gradient is not null)
        {
            tensor!.grad = null;
        }

        return gradient?.MoveToOuterDisposeScope();
    }

    private Tensor[] Run(Tensor[] inputs, Tensor? generator)
    {
        if (generator is null)
        {
            return _forward.RunDifferentiably(inputs);
        }

        using var now = get_rng_state();
        try
        {
            set_rng_state(generator);
            return _forward.RunDifferentiably(inputs);
        }
        finally
        {
            set_rng_state(now);
        }
    }

    /// <summary>The forward graph of the outputs that have gradients.</summary>
    private static Graph Differentiable(JointGraph joint, Graph forward)
    {
        var builder = new GraphBuilder();
        builder.CopyInputs(forward);
        foreach (var node in forward.Nodes)
        {
            builder.Copy(node);
        }

        return new CopiesWithGradients().Run(new DeadCodeElimination().Run(builder.Build(joint.Seeded.Select(i => builder.Of(forward.Outputs[i])))));
    }

    private static Graph OnlyOf(Graph graph, int[] inputs)
    {
        var builder = new GraphBuilder();
        foreach (var input in inputs.Select(i => graph.Inputs[i]))
        {
            builder.Replace(input, builder.Input(input.Type, input.Kind, input.Path));
        }

        foreach (var node in graph.Nodes)
        {
            builder.Copy(node);
        }

        return builder.BuildLike(graph);
    }
}
