using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>What was captured of a call, before it is compiled.</summary>
/// <param name="Graph">The operations.</param>
/// <param name="Guards">When they stand for a call.</param>
/// <param name="Inputs">Where the graph's inputs are read.</param>
/// <param name="Tensors">What they were.</param>
/// <param name="Result">What is returned.</param>
/// <param name="Holes">For each tensor of the result and of the effects: the output of the graph that it is, or, counted from -1 downwards, the input.</param>
/// <param name="Views">For each of them, which view it is.</param>
/// <param name="IsDetached">For each of them, whether no scope owns it.</param>
/// <param name="Fields">Fields that get values.</param>
/// <param name="Frees">Tensors that are freed.</param>
/// <param name="HeedsInterruption">Whether the call ends where that is asked for.</param>
/// <param name="IsGradEnabled">Whether gradients were recorded.</param>
/// <param name="Executable">Makes a graph ready to run.</param>
internal sealed record CaptureRecipe(
    Graph Graph, IReadOnlyList<Guard> Guards, IReadOnlyList<AccessPath> Inputs, IReadOnlyList<Tensor> Tensors, Template Result, int[] Holes, ResultViews?[] Views, bool[] IsDetached,
    FieldEffect[] Fields, DisposeEffect[] Frees, bool HeedsInterruption, bool IsGradEnabled, Func<Graph, IExecutable> Executable)
{
    /// <summary>What the call did with numbers, and the values of the tensors that it asked for their shapes; null where nobody wants to know.</summary>
    public (NumberTrace Trace, Func<Tensor, Value?> ValueOf)? Numbers { get; init; }

    /// <summary>Calls that no operator stands for.</summary>
    public IReadOnlyList<string> OpaqueCalls { get; init; } = [];

    /// <summary>Whether the call left nothing behind but its result and values in tensors: then it can be made again to see what it does.</summary>
    public bool IsRepeatable => Fields.Length == 0 && Frees.Length == 0 && Result is not FramesTemplate;

    /// <summary>The tensors in which the call left values.</summary>
    public IEnumerable<Tensor> Changed => Graph.Nodes.Where(node => node.Operator.IsMutating).SelectMany(node => node.Inputs).Select(value => ResultViews.Of(value).Root).OfType<GraphInput>()
        .Distinct<GraphInput>(ReferenceEqualityComparer.Instance).Select(input => Tensors[Graph.Inputs.IndexOf(input)]);

    /// <summary>Compiles it.</summary>
    public Specialization Make() => new(new GuardSet(Guards, Inputs, IsGradEnabled), Executable(Graph), Inputs, Result, Holes, Views, IsDetached, Fields, Frees, HeedsInterruption) { OpaqueCalls = OpaqueCalls };
}
