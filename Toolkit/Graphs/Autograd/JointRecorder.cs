using System.Collections.Immutable;
using Toolkit.Graphs.Dispatch;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Autograd;

/// <summary>
/// Records forward and backward pass of a captured graph, by running it with TorchSharp under autograd on copies of its inputs: what steers the program is in the guards of the graph, so nothing
/// but values can differ from call to call. It runs at least twice, with other values, and what libtorch does must be the same. The generator of random numbers is put back.
/// </summary>
/// <param name="dispatcher">Where operators come from.</param>
/// <param name="graph">The graph; it may change its inputs.</param>
/// <param name="held">Tensors that are no inputs: what modules of native code hold.</param>
/// <param name="pure">
/// The graph without operations in place, where it is to be recorded instead: autograd's way through a view that is changed is one of memory, which cannot be made pure afterwards. Its results
/// and gradients are held against the graph's.
/// </param>
internal sealed class JointRecorder(Dispatcher dispatcher, Graph graph, IReadOnlyList<(string Path, Tensor Tensor)> held, Graph? pure = null)
{
    // What a kernel looks up at its first run shows in that run alone.
    private const int Runs = 4;
    private const double Tolerance = 1e-5;
    private static readonly Scalar _shrink = 0.75.ToScalar();
    private static readonly Scalar _two = 2L.ToScalar();

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
            Run(new GraphInterpreter(graph).Run, Arguments(examples, 0), null);
            if (pure is not null)
            {
                Run(new DispatcherExecutor(pure).RunDifferentiably, Arguments(examples, 0), null);
            }

            set_rng_state(generator);
            for (var run = 0; run < Runs; run++)
            {
                set_rng_state(generator);
                var next = Once(Arguments(examples, run));
                if (last is not null && (difference = GraphStructure.Difference(last.Recorded, next.Recorded)) is null)
                {
                    set_rng_state(generator);
                    return pure is null || Difference(next, examples) is not { } other ? next : throw new GraphException($"the graph without operations in place differs from eager: {other}");
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

    private delegate Tensor[] Executor(ReadOnlySpan<Tensor> inputs);

    /// <summary>
    /// Runs both passes once in the way that reports what libtorch refuses: where a gradient of given tensors is asked for, as in the recording, that ends the process. There are no gradients of
    /// what modules hold afterwards but those that were there.
    /// </summary>
    /// <returns>The outputs, and gradients of the arguments and of what modules hold.</returns>
    /// <exception cref="GraphException">An argument is left with gradients.</exception>
    private (Tensor[] Outputs, Tensor?[] Gradients) Run(Executor executor, Tensor[] arguments, IReadOnlyList<Tensor>? seeds)
    {
        using var enabled = enable_grad();
        using var plain = held.Count > 0 ? dispatcher.WithoutOneDnn() : null;
        var wanted = Array.ConvertAll(arguments, argument => argument.requires_grad);
        Tensor[] own = [.. held.Select(entry => entry.Tensor)];
        Tensor?[] before = [.. own.Select(tensor => tensor.grad)];
        try
        {
            Array.ForEach(own, tensor => tensor.grad = null);
            var results = executor(arguments);
            var left = Enumerable.Range(0, arguments.Length).FirstOrDefault(i => arguments[i].requires_grad && !wanted[i], -1);
            if (left >= 0)
            {
                throw new GraphException($"what is left in {graph.Inputs[left].Path} has gradients, which go on in the next call");
            }

            var made = results.Where(result => result.requires_grad).ToArray();
            if (made.Length > 0)
            {
                autograd.backward(made, [.. seeds ?? made.Select(result => ones_like(result))]);
            }

            return (results, [.. arguments.Concat(own).Select(tensor => tensor.requires_grad ? tensor.grad : null)]);
        }
        finally
        {
            for (var i = 0; i < own.Length; i++)
            {
                own[i].grad = before[i];
            }
        }
    }

    /// <summary>What the graph as it is gives otherwise; null for nothing.</summary>
    private string? Difference(JointRecording recording, IReadOnlyList<Tensor> examples)
    {
        Tensor[] arguments;
        using (no_grad())
        {
            arguments = [.. recording.Before.Select((tensor, i) => Copy(tensor).requires_grad_(examples[i].requires_grad))];
        }

        var joint = recording.Joint;
        var (outputs, gradients) = Run(new GraphInterpreter(graph).Run, arguments, recording.Seeds);
        Tensor[] all = [.. examples, .. held.Select(entry => entry.Tensor)];
        var expected = joint.Sources.Select(source =>
        {
            // What the program and a module of native code both use is one source.
            var tensor = source < joint.Arguments ? all[source] : held.First(entry => entry.Path == joint.Graph.Inputs[source].Path).Tensor;
            return gradients.Where((gradient, i) => gradient is not null && (ReferenceEquals(all[i], tensor) || (Address(all[i]) is var address and not 0 && address == Address(tensor))))
                .Aggregate((Tensor?)null, (a, b) => a is null ? b : a.add(b!, Ops.Scalars.One));
        });
        return TrainingTrial.Difference([.. recording.Results.Take(joint.Outputs)], outputs, Tolerance)
            ?? TrainingTrial.Difference([.. recording.Results.Skip(joint.Outputs)], [.. expected], Tolerance)
            ?? TrainingTrial.Difference(recording.After, arguments, Tolerance);
    }

    /// <summary>
    /// Copies that autograd knows as leaves. Arguments get other values in later runs: their rows change places, so that ids, flags and probabilities stay in their range, and numbers shrink; integers
    /// that are in order (lengths, offsets of bags) move closer and stay in order.
    /// Parameters that are trained are not copied: a graph does not change them.
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
                : example.is_floating_point() ? Like(example, Rolled(example, run).mul(_shrink))
                : Like(example, Closer(example, run) ?? Rolled(example, run));
            arguments[i] = tensor.requires_grad_(examples[i].requires_grad);
        }

        return arguments;
    }

    private unsafe nint Address(Tensor tensor)
    {
        var address = MemoryKey.Of(dispatcher.Symbols, (nint*)tensor.Handle)?.Address ?? 0;
        GC.KeepAlive(tensor);
        return address;
    }

    /// <summary>A copy that lies in memory in the same order.</summary>
    private static Tensor Copy(Tensor example) => Like(example, example);

    /// <summary>With other rows at the places of its rows; a single row with its values at other places.</summary>
    private static Tensor Rolled(Tensor example, int by) => example.dim() > 0 && example.shape[0] > 1 ? example.roll(by, 0) : example.flatten().roll(by).reshape(example.shape);

    /// <summary>With each integer half of the way to the one before it, so that the first stays first and the order holds; null where there is no order, or nothing between them.</summary>
    private static Tensor? Closer(Tensor example, int times)
    {
        if (example.dim() != 1 || example.dtype is not (ScalarType.Int32 or ScalarType.Int64))
        {
            return null;
        }

        var (first, before, after) = (example[..1], example[..^1], example[1..]);
        var isInOrder = before.le(after).all().item<bool>() || before.ge(after).all().item<bool>();
        var closer = isInOrder ? cat([first, before.add(after, Ops.Scalars.One).floor_divide(_two)]) : null;
        return closer is null || closer.eq(example).all().item<bool>() ? null : times > 1 ? Closer(closer, times - 1) ?? closer : closer;
    }

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
        Executor executor = pure is null ? new GraphInterpreter(graph).Run : new DispatcherExecutor(pure).RunDifferentiably;
        using var plain = held.Count > 0 ? dispatcher.WithoutOneDnn() : null;
        var before = Before(arguments);
        var recording = DispatcherRecorder.Record(
            dispatcher,
            session =>
            {
                var made = executor(arguments);
                outputs = made.Length;
                seeded = [.. Enumerable.Range(0, made.Length).Where(i => made[i].requires_grad)];
                if (session.Failure is { } failure)
                {
                    // An operator was refused and the program went on with empty tensors: a backward pass through those would end the process.
                    throw new GraphException(failure);
                }

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
                        defined[place] = defined[place].add(gradient, Ops.Scalars.One);
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
