using System.Collections.Immutable;

namespace Toolkit.Graphs.Autograd;

/// <summary>
/// Cuts a joint graph in two. The forward graph returns its outputs and the values that the backward graph needs of it; views, and new tensors of numbers, are taken again instead of kept, and
/// on demand so is what a cheap operation on kept values gives (Chen et al., 2016, "Training deep nets with sublinear memory cost", for operations at each place alone).
/// </summary>
public sealed class GraphPartition
{
    private GraphPartition(Graph forward, Graph backward, ImmutableArray<int> savedOutputs, ImmutableArray<int> savedInputs) =>
        (Forward, Backward, SavedOutputs, SavedInputs) = (forward, backward, savedOutputs, savedInputs);

    /// <summary>Inputs: arguments and what the module holds. Outputs: the program's, then values to keep.</summary>
    public Graph Forward { get; }

    /// <summary>Inputs: gradients of outputs, then what <see cref="SavedOutputs"/> and <see cref="SavedInputs"/> say. Outputs: gradients.</summary>
    public Graph Backward { get; }

    /// <summary>The outputs of the forward graph that the backward graph is given.</summary>
    public ImmutableArray<int> SavedOutputs { get; }

    /// <summary>The inputs of the forward graph that the backward graph is given.</summary>
    public ImmutableArray<int> SavedInputs { get; }

    /// <summary>Bytes that are kept between the two, beside inputs.</summary>
    public long SavedBytes => SavedOutputs.Sum(index => Forward.Outputs[index].Type.Bytes);

    /// <summary>Cuts a graph.</summary>
    /// <param name="joint">The graph.</param>
    /// <param name="recompute">Whether the backward pass computes again what cheap operations on kept values give: less memory, some more time.</param>
    /// <exception cref="GraphException">The backward pass overwrites an input.</exception>
    public static GraphPartition Of(JointGraph joint, bool recompute = false) => new Cut(joint, recompute).Run();

    private sealed class Cut(JointGraph joint, bool recompute)
    {
        private readonly Graph _graph = joint.Graph;
        private readonly HashSet<Value> _late = new(ReferenceEqualityComparer.Instance);
        private readonly HashSet<Value> _overwritten = new(ReferenceEqualityComparer.Instance);
        private readonly HashSet<Value> _again = new(ReferenceEqualityComparer.Instance);
        private readonly HashSet<Value> _kept = new(ReferenceEqualityComparer.Instance);

        public GraphPartition Run()
        {
            _late.UnionWith(_graph.Inputs.Skip(joint.ForwardInputs));
            foreach (var node in _graph.Nodes.Where(node => node.Inputs.Any(_late.Contains)))
            {
                _late.UnionWith(node.Outputs);
            }

            if (_graph.Mutations.FirstOrDefault(mutation => _late.Contains(mutation.Value)) is { } late)
            {
                throw new GraphException($"the backward pass overwrites {late.Target.Path}");
            }

            _overwritten.UnionWith(_graph.Mutations.Select(mutation => (Value)mutation.Target));
            var gradients = _graph.Outputs.Skip(joint.Outputs).ToArray();
            foreach (var value in _graph.Nodes.Where(node => node.Outputs.Any(_late.Contains)).SelectMany(node => node.Inputs).Concat(gradients))
            {
                Need(value);
            }

            if (recompute)
            {
                Forget();
            }

            return Build(gradients);
        }

        private static bool IsCheap(OperatorKind kind) => kind is OperatorKind.View or OperatorKind.Factory;

        /// <summary>The backward pass reads a value.</summary>
        private void Need(Value value)
        {
            if (_late.Contains(value) || _again.Contains(value) || _kept.Contains(value))
            {
                return;
            }

            if (value.Producer is { } producer && IsCheap(producer.Operator.Kind))
            {
                _again.UnionWith(producer.Outputs);
                foreach (var input in producer.Inputs)
                {
                    Need(input);
                }
            }
            else
            {
                _kept.Add(value);
            }
        }

        /// <summary>Of the values to keep, drops those that an operation at each place gives from others that are kept.</summary>
        private void Forget()
        {
            foreach (var node in _graph.Nodes.Reverse().Where(node => node.Operator.Kind == OperatorKind.Pointwise && node.Outputs.Length == 1 && _kept.Contains(node.Outputs[0])))
            {
                if (!_graph.Outputs.Contains(node.Outputs[0]) && node.Inputs.All(IsAtHand))
                {
                    _kept.Remove(node.Outputs[0]);
                    _again.Add(node.Outputs[0]);
                    foreach (var input in node.Inputs)
                    {
                        Need(input);
                    }
                }
            }
        }

        private bool IsAtHand(Value value) =>
            _kept.Contains(value) || (value.Producer is null && !_overwritten.Contains(value)) || (value.Producer is { } producer && IsCheap(producer.Operator.Kind) && producer.Inputs.All(IsAtHand));

        private GraphPartition Build(Value[] gradients)
        {
            // An input that is overwritten is no longer there when the backward pass runs: it is kept as a value.
            var inputs = _graph.Inputs.Where(input => _kept.Contains(input) && !_overwritten.Contains(input)).ToArray();
            var outputs = _graph.Outputs.Take(joint.Outputs).ToList();
            var saved = new List<(Value Value, int Output)>();
            foreach (var value in _graph.Values.Where(value => _kept.Contains(value) && !inputs.Contains(value)))
            {
                var place = outputs.FindIndex(output => ReferenceEquals(output, value));
                if (place < 0)
                {
                    place = outputs.Count;
                    outputs.Add(value);
                }

                saved.Add((value, place));
            }

            var forward = new GraphBuilder();
            foreach (var input in _graph.Inputs.Take(joint.ForwardInputs))
            {
                forward.Replace(input, forward.Input(input.Type, input.Kind, input.Path));
            }

            foreach (var node in Needed(outputs.Concat(_graph.Mutations.Select(mutation => mutation.Value))))
            {
                forward.Copy(node);
            }

            var backward = new GraphBuilder();
            foreach (var (value, name) in _graph.Inputs.Skip(joint.ForwardInputs).Select(seed => ((Value)seed, seed.Path))
                .Concat(saved.Select((entry, i) => (entry.Value, $"saved{i}"))).Concat(inputs.Select(input => ((Value)input, input.Path))))
            {
                backward.Replace(value, backward.Input(value.Type, GraphInputKind.Argument, name));
            }

            foreach (var node in _graph.Nodes.Where(node => node.Outputs.Any(output => _late.Contains(output) || _again.Contains(output))))
            {
                backward.Copy(node);
            }

            return new(
                forward.Build(outputs.Select(forward.Of), _graph.Mutations.Select(mutation => new Mutation((GraphInput)forward.Of(mutation.Target), forward.Of(mutation.Value)))),
                backward.Build(gradients.Select(backward.Of)),
                [.. saved.Select(entry => entry.Output)],
                [.. inputs.Select(input => _graph.Inputs.IndexOf(input))]);
        }

        /// <summary>What the forward pass must run for these values; every drawing of random numbers is among it, so that the generator goes on as in eager code.</summary>
        private IEnumerable<Node> Needed(IEnumerable<Value> values)
        {
            var needed = new HashSet<Value>(values, ReferenceEqualityComparer.Instance);
            var nodes = new Stack<Node>();
            foreach (var node in _graph.Nodes.Reverse().Where(node => !node.Outputs.Any(_late.Contains)))
            {
                if (node.Operator.Kind == OperatorKind.Random || node.Outputs.Any(needed.Contains))
                {
                    needed.UnionWith(node.Inputs);
                    nodes.Push(node);
                }
            }

            return nodes;
        }
    }
}
