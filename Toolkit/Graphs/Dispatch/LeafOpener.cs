using System.Collections.Immutable;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Dispatch;

/// <summary>
/// Opens what a capture of the program sees as one opaque call (an LSTM, a MultiheadAttention, a TransformerEncoderLayer, a loss: forward runs in native code): makes the call, for real, and says
/// which ATen operations it consists of.
/// </summary>
internal sealed class LeafOpener
{
    private readonly Dispatcher _dispatcher;

    private LeafOpener(Dispatcher dispatcher) => _dispatcher = dispatcher;

    /// <summary>The one there is; null where operations cannot be recorded (<see cref="DispatcherCapture.WhyNot"/>).</summary>
    public static LeafOpener? Instance => DispatcherCapture.Instance is { } dispatcher ? new(dispatcher) : null;

    /// <summary>Makes a call and opens it.</summary>
    /// <param name="leaf">The call, from its tensors to its results.</param>
    /// <param name="inputs">The tensors that it is given.</param>
    /// <param name="owned">Tensors that the called module holds, with their paths in it.</param>
    /// <param name="origin">Where in the program the call stands.</param>
    /// <exception cref="Exception">Whatever the call throws.</exception>
    public OpenedLeaf Open(
        Func<IReadOnlyList<Tensor>, IReadOnlyList<Tensor>> leaf, IReadOnlyList<Tensor> inputs, IEnumerable<(string Path, Tensor Tensor)>? owned = null, Origin? origin = null)
    {
        IReadOnlyList<Tensor>? results = null;
        Exception? own = null;
        try
        {
            using var plain = _dispatcher.WithoutOneDnn();
            using var recording = DispatcherRecorder.Record(
                _dispatcher,
                _ =>
                {
                    try
                    {
                        return results = leaf(inputs);
                    }
                    catch (Exception problem)
                    {
                        own = problem;
                        throw;
                    }
                },
                Distinct(inputs),
                owned,
                origin is null ? null : () => origin);
            if (recording.Reads.FirstOrDefault(read => !read.IsCertain) is { } read)
            {
                return new(null, [], results!, $"it reads a value: {read}");
            }

            var (graph, order) = Arrange(recording, inputs);
            return new(graph, order, results!, null);
        }
        catch (GraphException problem) when (results is not null)
        {
            // The call may have failed inside and gone on with empty tensors: it is made again, and throws what it throws.
            return new(null, [], problem.Message.Contains("failed in libtorch", StringComparison.Ordinal) ? leaf(inputs) : results, problem.Message);
        }
        catch (GraphException) when (own is not null)
        {
            return new(null, [], leaf(inputs), own.Message);
        }
    }

    private static Tensor[] Distinct(IReadOnlyList<Tensor> inputs) => [.. inputs.DistinctBy(TensorMemory.Identity)];

    /// <summary>The graph with the tensors that the module holds as references that stay good.</summary>
    private static (Graph Graph, ImmutableArray<LeafInput> Inputs) Arrange(Recording recording, IReadOnlyList<Tensor> inputs)
    {
        var distinct = Distinct(inputs);
        var places = distinct.Select((tensor, i) => new LeafInput(Enumerable.Range(0, inputs.Count).First(j => TensorMemory.AreOne(inputs[j], tensor)), null, null));
        var others = recording.Graph.Inputs.Skip(distinct.Length)
            .Select((input, i) => new LeafInput(-1, input.Kind == GraphInputKind.Parameter ? input.Path : null, recording.Others[i].alias().DetachFromDisposeScope()));
        return (recording.Graph, [.. places, .. others]);
    }
}

/// <summary>A call that was opened.</summary>
/// <param name="Graph">Its operations, as they were (in place, views); null where they are no graph.</param>
/// <param name="Inputs">What each input of the graph is.</param>
/// <param name="Results">What the call returned.</param>
/// <param name="WhyNot">Why there is no graph; null where there is.</param>
internal sealed record OpenedLeaf(Graph? Graph, ImmutableArray<LeafInput> Inputs, IReadOnlyList<Tensor> Results, string? WhyNot) : IDisposable
{
    /// <summary>Gives the references to tensors of the module back; the results stay.</summary>
    public void Dispose()
    {
        foreach (var input in Inputs)
        {
            input.Tensor?.Dispose();
        }
    }
}

/// <summary>What an input of an opened call is.</summary>
/// <param name="Argument">Which of the call's tensors; -1 for none of them.</param>
/// <param name="Path">Path in the module of a tensor that it holds; null for a constant.</param>
/// <param name="Tensor">A reference to the tensor that the module holds, or to the constant.</param>
internal sealed record LeafInput(int Argument, string? Path, Tensor? Tensor);
