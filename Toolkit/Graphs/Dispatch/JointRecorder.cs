using System.Collections.Immutable;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Dispatch;

/// <summary>
/// Records forward and backward pass of a captured graph, by running it with TorchSharp under autograd on copies of its inputs: what steers the program is in the guards of the graph, so nothing
/// but values can differ from call to call. It runs at least twice, with other values, and what libtorch does must be the same. The generator of random numbers is put back.
/// </summary>
/// <param name="dispatcher">Where operators come from.</param>
/// <param name="graph">The graph; it may change its inputs.</param>
/// <param name="held">Tensors that are no inputs: what modules of native code hold.</param>
internal sealed class JointRecorder(Dispatcher dispatcher, Graph graph, IReadOnlyList<(string Path, Tensor Tensor)> held)
{
    // What a kernel looks up at its first run shows in that run alone.
    private const int Runs = 4;
    private static readonly Scalar _shrink = 0.75;

    /// <summary>Records.</summary>
    /// <param name="examples">Inputs of the graph, each with the gradient flag that it will have.</param>
    /// <exception cref="GraphException">It cannot be recorded, or what libtorch does depends on values.</exception>
    public JointRecording Record(IReadOnlyList<Tensor> examples)
    {
        using var scope = NewDisposeScope();
        using var generator = get_rng_state();
        JointRecording? last = null;
        try
        {
            string? difference = null;
            RequireBackward(Arguments(examples, 0));
            set_rng_state(generator);
            for (var run = 0; run < Runs; run++)
            {
                set_rng_state(generator);
                var next = Once(Arguments(examples, run));
                if (last is not null && (difference = GraphStructure.Difference(last.Recorded, next.Recorded)) is null)
                {
                    return next;
                }

                last?.Dispose();
                last = next;
            }

            throw new GraphException($"what libtorch does depends on values, or changes from run to run: {difference}");
        }
        finally
        {
            last?.Dispose();
            set_rng_state(generator);
        }
    }

    /// <summary>Runs the backward pass once in the way that reports what libtorch refuses: where a gradient of given tensors is asked for, as in the recording, that ends the process.</summary>
    private void RequireBackward(Tensor[] arguments)
    {
        using var enabled = enable_grad();
        using var interpreter = new GraphInterpreter(graph);
        using var plain = held.Count > 0 ? dispatcher.WithoutOneDnn() : null;
        Tensor[] own = [.. held.Select(entry => entry.Tensor).Where(tensor => tensor.requires_grad)];
        Tensor?[] before = [.. own.Select(tensor => tensor.grad)];
        try
        {
            Array.ForEach(own, tensor => tensor.grad = null);
            var made = interpreter.Run(arguments).Where(result => result.requires_grad).ToArray();
            if (made.Length > 0)
            {
                autograd.backward(made, [.. made.Select(result => ones_like(result))]);
            }
        }
        finally
        {
            for (var i = 0; i < own.Length; i++)
            {
                own[i].grad = before[i];
            }
        }
    }

    /// <summary>
    /// Copies that autograd knows as leaves. Arguments get other values in later runs; integers (ids) change places, so that they stay in their range. Parameters that are trained are not copied:
    /// a graph does not change them.
    /// </summary>
    private Tensor[] Arguments(IReadOnlyList<Tensor> examples, int run)
    {
        using var still = no_grad();
        var seen = new HashSet<nint>();
        var arguments = new Tensor[examples.Count];
        for (var i = 0; i < arguments.Length; i++)
        {
            var (example, kind) = (examples[i].detach(), graph.Inputs[i].Kind);
            var isFirst = example.numel() == 0 || seen.Add(Address(example));
            var tensor = kind == GraphInputKind.Parameter && examples[i].requires_grad && isFirst ? example
                : kind != GraphInputKind.Argument || run == 0 || example.numel() < 2 ? Copy(example)
                : example.is_floating_point() ? Like(example, example.flip([.. Enumerable.Range(0, (int)example.dim()).Select(d => (long)d)]).mul(_shrink))
                : Like(example, example.flatten().roll(run).reshape(example.shape));
            arguments[i] = tensor.requires_grad_(examples[i].requires_grad);
        }

        return arguments;
    }

    private unsafe nint Address(Tensor tensor) => MemoryKey.Of(dispatcher.Symbols, (nint*)tensor.Handle)?.Address ?? 0;

    /// <summary>A copy that lies in memory in the same order.</summary>
    private static Tensor Copy(Tensor example) => Like(example, example);

    private static Tensor Like(Tensor example, Tensor values) => empty_like(example).copy_(values);

    private JointRecording Once(Tensor[] arguments)
    {
        var seeded = ImmutableArray<int>.Empty;
        var outputs = 0;
        var seeds = Array.Empty<Tensor>();
        var sources = new List<GraphInput>();
        IReadOnlyList<Tensor> results = [];
        Tensor[] wanted = [.. arguments.Where(argument => argument.requires_grad), .. held.Select(entry => entry.Tensor).Where(tensor => tensor.requires_grad)];
        using var enabled = enable_grad();
        using var interpreter = new GraphInterpreter(graph);
        using var plain = held.Count > 0 ? dispatcher.WithoutOneDnn() : null;
        var before = Before(arguments);
        var recording = DispatcherRecorder.Record(
            dispatcher,
            session =>
            {
                var made = interpreter.Run(arguments);
                outputs = made.Length;
                seeded = [.. Enumerable.Range(0, made.Length).Where(i => made[i].requires_grad)];
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
                    if (gradients[i] is not { IsInvalid: false } gradient || session.Known(wanted[i]) is not GraphInput source)
                    {
                        continue;
                    }

                    // A weight that both the program and a module of native code use is one input, whose gradient has a part from each.
                    if (sources.IndexOf(source) is var place and >= 0)
                    {
                        defined[place] = defined[place].add(gradient);
                        continue;
                    }

                    sources.Add(source);
                    defined.Add(gradient);
                }

                return results = [.. made, .. defined];
            },
            arguments,
            held,
            null);
        if (recording.Others.Where((tensor, i) => tensor.requires_grad && recording.Graph.Inputs[arguments.Length + seeds.Length + i].Kind != GraphInputKind.Parameter).Any())
        {
            recording.Dispose();
            throw new GraphException("a tensor that wants gradients is neither an argument nor held by a module");
        }

        return new(recording, before, arguments, seeds, seeded, Places(recording, sources), outputs, results);
    }

    /// <summary>The arguments as they are before a run that may change those that are copies.</summary>
    private Tensor[] Before(Tensor[] arguments)
    {
        using var still = no_grad();
        var changes = graph.Nodes.Any(node => node.Operator.IsMutating || node.Operator.Kind == OperatorKind.Other);
        return [.. arguments.Select(argument => changes && !argument.requires_grad ? Copy(argument) : argument)];
    }

    /// <summary>The recorder gives the graph new inputs: the sources are found by their paths, which are unique.</summary>
    private static List<GraphInput> Places(Recording recording, List<GraphInput> sources) =>
        [.. sources.Select(source => recording.Graph.Inputs.Single(input => input.Path == source.Path && input.Kind == source.Kind))];
}
