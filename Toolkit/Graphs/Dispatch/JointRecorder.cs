using System.Collections.Immutable;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Dispatch;

/// <summary>
/// Records forward and backward pass of a module. The dispatcher does not see what steers the program, so it is run at least twice, with other values: what it does must not depend on them, nor
/// on how many times it ran. What it changes of buffers and of the generator of random numbers is put back.
/// </summary>
internal sealed class JointRecorder(Dispatcher dispatcher, Func<IReadOnlyList<Tensor>, IReadOnlyList<Tensor>> forward, IReadOnlyList<(string Path, Tensor Tensor)> owned)
{
    // A static constructor or a table that is made on first use shows in the first run alone.
    private const int Runs = 4;
    private static readonly Scalar _shrink = 0.75;

    /// <summary>Records.</summary>
    /// <param name="examples">Arguments, of which each has the gradient flag that it will have.</param>
    /// <exception cref="GraphException">It cannot be recorded, or what it does changes from run to run.</exception>
    public JointRecording Record(IReadOnlyList<Tensor> examples)
    {
        using var scope = NewDisposeScope();
        var buffers = owned.Where(entry => !entry.Tensor.requires_grad).Select(entry => entry.Tensor).Distinct();
        using var state = new ModuleState(buffers);
        JointRecording? last = null;
        try
        {
            string? difference = null;
            for (var run = 0; run < Runs; run++)
            {
                state.Restore();
                var next = Once([.. examples.Select(example => Argument(example, run))]);
                if (last is not null && (difference = GraphStructure.Difference(last.Recorded, next.Recorded)) is null)
                {
                    return next;
                }

                last?.Dispose();
                last = next;
            }

            throw new GraphException($"what the module does depends on values, or changes from run to run: {difference}");
        }
        finally
        {
            last?.Dispose();
            state.Restore();
        }
    }

    /// <summary>The example with other values: integers (ids) change places, so that they stay in their range.</summary>
    private static Tensor Argument(Tensor example, int run)
    {
        using var still = no_grad();
        var other = run == 0 || example.numel() < 2 ? example.detach().clone()
            : example.is_floating_point() ? example.detach().flip([.. Enumerable.Range(0, (int)example.dim()).Select(i => (long)i)]).mul(_shrink)
            : example.flatten().roll(run).reshape(example.shape);
        return other.requires_grad_(example.requires_grad);
    }

    private JointRecording Once(Tensor[] arguments)
    {
        var seeded = ImmutableArray<int>.Empty;
        var outputs = 0;
        var seeds = Array.Empty<Tensor>();
        var sources = new List<GraphInput>();
        IReadOnlyList<Tensor> results = [];
        Tensor[] wanted = [.. arguments.Where(argument => argument.requires_grad), .. owned.Select(entry => entry.Tensor).Where(tensor => tensor.requires_grad)];
        using var enabled = enable_grad();
        var recording = DispatcherRecorder.Record(
            dispatcher,
            session =>
            {
                var made = forward(arguments);
                outputs = made.Count;
                seeded = [.. Enumerable.Range(0, made.Count).Where(i => made[i].requires_grad)];
                if (seeded.IsEmpty)
                {
                    throw new GraphException("no output has a gradient");
                }

                using (dispatcher.Pause())
                {
                    seeds = [.. seeded.Select(i => randn(made[i].shape, ScalarType.Float32, made[i].device).to(made[i].dtype))];
                    for (var i = 0; i < seeds.Length; i++)
                    {
                        session.AddArgument(seeds[i], $"gradient{seeded[i]}");
                    }
                }

                var gradients = autograd.grad([.. seeded.Select(i => made[i])], wanted, seeds, retain_graph: false, create_graph: false, allow_unused: true);
                var defined = new List<Tensor>();
                for (var i = 0; i < wanted.Length; i++)
                {
                    if (gradients[i] is { IsInvalid: false } gradient && session.Known(wanted[i]) is GraphInput source && !sources.Contains(source))
                    {
                        sources.Add(source);
                        defined.Add(gradient);
                    }
                }

                return results = [.. made, .. defined];
            },
            arguments,
            owned,
            null);
        return new(recording, arguments, seeds, seeded, Places(recording, sources, arguments.Length, seeds.Length), outputs, results);
    }

    /// <summary>The recorder gives the graph new inputs: the sources are found by their paths, which are unique.</summary>
    private static List<GraphInput> Places(Recording recording, List<GraphInput> sources, int arguments, int seeds) =>
        [.. sources.Select(source => recording.Graph.Inputs.Single(input => input.Path == source.Path && input.Kind == source.Kind))];
}

/// <summary>A recording of both passes, with what it ran on.</summary>
internal sealed class JointRecording : IDisposable
{
    private readonly Recording _recording;

    public JointRecording(
        Recording recording, Tensor[] arguments, Tensor[] seeds, ImmutableArray<int> seeded, IReadOnlyList<GraphInput> sources, int outputs, IReadOnlyList<Tensor> results)
    {
        _recording = recording;
        Arguments = Keep(arguments);
        Seeds = Keep(seeds);
        Results = Keep(results);
        if (recording.Reads.FirstOrDefault(read => !read.IsCertain) is { } read)
        {
            Dispose();
            throw new GraphException($"the program reads a value: {read}");
        }

        Joint = JointGraph.Of(recording.Graph, arguments.Length, seeded, sources, outputs);
    }

    /// <summary>Both passes, pure.</summary>
    public JointGraph Joint { get; }

    /// <summary>Both passes as they were recorded.</summary>
    public Graph Recorded => _recording.Graph;

    /// <summary>The arguments of the run.</summary>
    public Tensor[] Arguments { get; }

    /// <summary>The gradients of the outputs.</summary>
    public Tensor[] Seeds { get; }

    /// <summary>Outputs, then gradients.</summary>
    public Tensor[] Results { get; }

    /// <summary>What the module held.</summary>
    public IReadOnlyList<Tensor> Others => _recording.Others;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in Arguments.Concat(Seeds).Concat(Results))
        {
            tensor.Dispose();
        }

        _recording.Dispose();
    }

    private static Tensor[] Keep(IEnumerable<Tensor> tensors)
    {
        using var still = no_grad();
        return [.. tensors.Select(tensor => tensor.detach().DetachFromDisposeScope())];
    }
}
