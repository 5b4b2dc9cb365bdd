using System.Collections.Immutable;
using Toolkit.Graphs.Passes;

namespace Toolkit.Graphs.Autograd;

/// <summary>
/// A forward pass and the backward pass that belongs to it in one graph. Inputs: arguments, then what the module holds, then a gradient for each output that has one. Outputs: those of the
/// forward pass, then gradients.
/// </summary>
public sealed class JointGraph
{
    private JointGraph(Graph graph, int arguments, int others, ImmutableArray<int> seeded, ImmutableArray<int> sources, int outputs) =>
        (Graph, Arguments, Others, Seeded, Sources, Outputs) = (graph, arguments, others, seeded, sources, outputs);

    /// <summary>Both passes; pure.</summary>
    public Graph Graph { get; }

    /// <summary>Number of arguments.</summary>
    public int Arguments { get; }

    /// <summary>Number of inputs that the module holds.</summary>
    public int Others { get; }

    /// <summary>Number of outputs of the forward pass.</summary>
    public int Outputs { get; }

    /// <summary>The outputs that have gradients: one for each input behind the arguments and the module's.</summary>
    public ImmutableArray<int> Seeded { get; }

    /// <summary>The inputs that the gradients are those of: one for each output behind the forward pass's.</summary>
    public ImmutableArray<int> Sources { get; }

    /// <summary>Number of inputs of the forward pass.</summary>
    public int ForwardInputs => Arguments + Others;

    /// <summary>Makes a recording of both passes pure and leaves out what nothing needs.</summary>
    internal static JointGraph Of(Graph recorded, int arguments, ImmutableArray<int> seeded, IReadOnlyList<GraphInput> sources, int outputs)
    {
        // The recorder puts arguments first, and gradients are arguments that came late.
        var builder = new GraphBuilder();
        var inputs = recorded.Inputs;
        var seeds = inputs.Skip(arguments).Take(seeded.Length).ToArray();
        GraphInput[] order = [.. inputs.Take(arguments), .. inputs.Skip(arguments + seeds.Length), .. seeds];
        foreach (var input in order)
        {
            builder.Replace(input, builder.Input(input.Type, input.Kind, input.Path));
        }

        foreach (var node in recorded.Nodes)
        {
            builder.Copy(node);
        }

        var places = sources.Select(source => Array.IndexOf(order, source)).ToImmutableArray();
        var graph = new DeadCodeElimination().Run(new Functionalization().Run(new StridedParts().Run(builder.BuildLike(recorded))));
        return new(graph, arguments, inputs.Length - arguments - seeds.Length, seeded, places, outputs);
    }
}
