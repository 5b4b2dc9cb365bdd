namespace Toolkit.Graphs.Passes;

/// <summary>
/// Makes a graph pure. An operation in place becomes one that returns; every view of what it changed is taken anew when it is read next, and a change of a view is written
/// through to what it is a view of (<c>slice_scatter</c>, <c>select_scatter</c>, ...), up to the input, where it ends as a <see cref="Mutation"/>.
/// </summary>
public sealed class Functionalization : IGraphPass
{
    /// <inheritdoc/>
    public string Name => "functionalisation";

    /// <inheritdoc/>
    /// <exception cref="GraphException">What is changed shares memory in a way that types do not tell.</exception>
    public Graph Run(Graph graph) => graph.Nodes.Any(node => node.Operator.IsMutating) ? new Conversion(graph).Run() : graph;

    /// <summary>The inputs that a graph changes, by their places.</summary>
    /// <exception cref="GraphException">What is changed shares memory in a way that types do not tell.</exception>
    public static IReadOnlyList<int> ChangedInputs(Graph graph)
    {
        var pure = new Functionalization().Run(graph);
        return [.. pure.Mutations.Select(mutation => pure.Inputs.IndexOf(mutation.Target))];
    }

    private sealed class Conversion(Graph graph)
    {
        private readonly GraphBuilder _builder = new();

        // Which value a view is a view of; the root of all its views counts its versions.
        private readonly Dictionary<Value, Value> _parents = new(ReferenceEqualityComparer.Instance);
        private readonly Dictionary<Value, int> _versions = new(ReferenceEqualityComparer.Instance);
        private readonly Dictionary<Value, (Value Value, int Version)> _current = new(ReferenceEqualityComparer.Instance);

        public Graph Run()
        {
            foreach (var input in graph.Inputs)
            {
                Define(input, _builder.Input(input.Type, input.Kind, input.Path));
            }

            for (var place = 0; place < graph.Nodes.Length; place++)
            {
                var node = graph.Nodes[place];
                _builder.Origin = node.Origin;
                if (node.Operator.IsMutating)
                {
                    Mutate(node);
                }
                else
                {
                    Compute(node, place);
                }
            }

            _builder.Origin = Origin.None;
            Value[] outputs = [.. graph.Outputs.Select(Read)];
            foreach (var (target, value) in graph.Mutations.Select(mutation => (mutation.Target, Read(mutation.Value))).ToArray())
            {
                Write(target, value);
            }

            var mutations = graph.Inputs.Where(input => _versions[input] > 0)
                .Select(input => new Mutation((GraphInput)_builder.Inputs[graph.Inputs.IndexOf(input)], _current[input].Value));
            return _builder.Build(outputs, mutations);
        }

        private void Define(Value old, Value value)
        {
            _versions[old] = 0;
            _current[old] = (value, 0);
        }

        private void Compute(Node node, int place)
        {
            var copy = Apply(node);
            var source = node.Operator.Parameters.Length > 0 && node.Operator.Parameters[0].IsAliased && Views.MayShare(node) ? node.Inputs.First() : null;
            if (source is not null && !Views.IsCertain(node) && !IsSeenAfter(place, Root(source)))
            {
                source = null; // whether it is a view or a copy, nobody can tell
            }

            for (var i = 0; i < node.Outputs.Length; i++)
            {
                if (source is null)
                {
                    Define(node.Outputs[i], copy.Outputs[i]);
                }
                else
                {
                    _parents[node.Outputs[i]] = source;
                    _current[node.Outputs[i]] = (copy.Outputs[i], _versions[Root(source)]);
                }
            }
        }

        /// <summary>Whether memory is looked at after a node, by others than what the node gives.</summary>
        private bool IsSeenAfter(int place, Value root)
        {
            bool IsIt(Value value) => _current.ContainsKey(value) && ReferenceEquals(Root(value), root);
            return root is GraphInput || graph.Outputs.Any(IsIt) || graph.Mutations.Any(mutation => IsIt(mutation.Value)) || graph.Nodes.Skip(place + 1).Any(node => node.Inputs.Any(IsIt));
        }

        private Node Apply(Node node) => _builder.Add(
            node.Operator, [.. node.Arguments.Select(argument => argument.Map(Read))], [.. node.Outputs.Select(output => output.Type)], node.Body);

        private void Mutate(Node node)
        {
            if (node.Operator.Name == "aten::_native_batch_norm_legit")
            {
                BatchNorm(node);
                return;
            }

            var target = node.Inputs.First();
            var result = Result(node, target);
            Write(target, result.Type.DType == target.Type.DType ? result : _builder.Add("aten::_to_copy", result, target.Type.DType));

            // What comes out is the target itself.
            _parents[node.Output] = target;
            _current[node.Output] = _current[target];
        }

        /// <summary>What an operation in place leaves in its target.</summary>
        private Value Result(Node node, Value target)
        {
            var op = node.Operator;
            switch (op.Name)
            {
                case "aten::zero_":
                    return Filled(target, target.Type.DType == TorchSharp.torch.ScalarType.Bool ? false : 0L);
                case "aten::fill_.Scalar":
                    return Filled(target, node["value"]);
                case "aten::copy_" or "aten::fill_.Tensor":
                    var source = ((ValueArgument)node.Arguments[1]).Value;
                    return source.Type == target.Type ? Read(source) : _builder.Add("aten::copy", Read(target), Read(source));
            }

            var functional = Definition.FunctionalOf(op) ?? throw new GraphException($"{op.Name} has no twin that returns what it writes ({node})");
            if (!functional.CanInfer && node.Inputs.Any(input => TypePromotion.IsFloating(input.Type.DType) && input.Type.DType != target.Type.DType))
            {
                throw new GraphException($"what {functional.Name} makes of tensors of different types is not known ({node})");
            }

            return _builder.Add(functional, [.. node.Arguments.Select(argument => argument.Map(Read))], functional.CanInfer ? null : [target.Type]).Output;
        }

        private Value Filled(Value target, Argument number)
        {
            var type = target.Type;
            return _builder.Add("aten::full", type.Shape, number, type.DType, NoArgument.Instance, new DeviceArgument(type.Device));
        }

        private void BatchNorm(Node node)
        {
            var copy = _builder.Add(Operators.Get("aten::_native_batch_norm_legit_functional"), [.. node.Arguments.Select(argument => argument.Map(Read))]);
            for (var i = 0; i < node.Outputs.Length; i++)
            {
                Define(node.Outputs[i], copy.Outputs[i]);
            }

            if (((BooleanArgument)node["training"]).Flag)
            {
                Write(((ValueArgument)node["running_mean"]).Value, copy.Outputs[3]);
                Write(((ValueArgument)node["running_var"]).Value, copy.Outputs[4]);
            }
        }

        private Value Root(Value value)
        {
            while (_parents.TryGetValue(value, out var parent))
            {
                value = parent;
            }

            return value;
        }

        /// <summary>What a value is now: a view of something that changed since is taken again.</summary>
        private Value Read(Value old)
        {
            var version = _versions[Root(old)];
            if (_current[old] is var (value, at) && at == version)
            {
                return value;
            }

            var parent = _parents[old];
            var producer = old.Producer!;
            if (producer.Operator.IsMutating)
            {
                value = Read(parent);
            }
            else
            {
                Views.RequireCertain(producer);
                var copy = _builder.Add(producer.Operator, [new ValueArgument(Read(parent)), .. producer.Arguments.Skip(1)]);
                value = copy.Outputs[old.Index];
            }

            _current[old] = (value, version);
            return value;
        }

        /// <summary>Puts a new value where an old one is, and into all that the old one is a view of.</summary>
        private void Write(Value old, Value value)
        {
            if (!_parents.TryGetValue(old, out var parent))
            {
                _versions[old]++;
            }
            else if (old.Producer!.Operator.IsMutating)
            {
                Write(parent, value);
            }
            else
            {
                Write(parent, Views.Scatter(_builder, old.Producer, old.Index, Read(parent), value));
            }

            _current[old] = (value, _versions[Root(old)]);
        }
    }
}
