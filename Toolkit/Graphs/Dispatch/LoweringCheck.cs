using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Dispatch;

/// <summary>Compares the nodes that a call was lowered to with what libtorch is asked to do under that call.</summary>
internal static class LoweringCheck
{
    /// <summary>What differs; null for nothing.</summary>
    /// <param name="lowered">The nodes, from the call's tensors to its results.</param>
    /// <param name="call">The call.</param>
    /// <param name="arguments">Tensors to call it with.</param>
    /// <param name="tolerance">Relative difference that passes: 0 where the same kernels must run.</param>
    public static string? Difference(Graph lowered, Func<IReadOnlyList<Tensor>, IReadOnlyList<Tensor>> call, IReadOnlyList<Tensor> arguments, double tolerance = 1e-6)
    {
        using var scope = NewDisposeScope();
        using var still = no_grad();
        using var recording = DispatcherRecorder.Record(call, arguments);
        using var generator = get_rng_state();
        using var executor = new DispatcherExecutor(recording.Graph);
        var expected = executor.Run(recording.Inputs([.. arguments]));
        set_rng_state(generator);
        using var interpreter = new GraphInterpreter(lowered);
        var actual = interpreter.Run([.. arguments]);
        if (actual.Length != expected.Length)
        {
            return $"{actual.Length} results and {expected.Length} of libtorch's";
        }

        for (var i = 0; i < actual.Length; i++)
        {
            if (TensorType.Of(actual[i]) != TensorType.Of(expected[i]) || TensorType.Of(actual[i]) != lowered.Outputs[i].Type)
            {
                return $"result {i} is {TensorType.Of(actual[i])}, of libtorch {TensorType.Of(expected[i])}, and in the graph {lowered.Outputs[i].Type}";
            }

            if (!actual[i].to(ScalarType.Float64).allclose(expected[i].to(ScalarType.Float64), tolerance, tolerance, equal_nan: true))
            {
                return $"result {i} is another than that of {string.Join(", ", recording.Graph.Nodes.Select(node => node.Operator.Name))}";
            }
        }

        return null;
    }
}
