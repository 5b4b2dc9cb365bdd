using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Dispatch;

/// <summary>Runs operations whose names, arguments and results are known, and compares what the dispatcher shows of them.</summary>
internal static class DispatcherSelfTest
{
    private static readonly (string Name, string Schema)[] _schemas =
    [
        ("aten::addmm", "aten::addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor"),
        ("aten::add_.Tensor", "aten::add_.Tensor(Tensor(a!) self, Tensor other, *, Scalar alpha=1) -> Tensor(a!)"),
        ("aten::ones_like", "aten::ones_like(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor"),
        ("aten::sum.dim_IntList", "aten::sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor"),
    ];

    private static readonly Scalar _two = 2.0.ToScalar();
    private static readonly Scalar _half = 0.5.ToScalar();
    private static readonly Scalar _three = 3L.ToScalar();
    private static readonly Scalar _six = 6.ToScalar();

    /// <summary>The first difference, in one line; null where there is none.</summary>
    public static string? Run(Dispatcher dispatcher)
    {
        using var scope = NewDisposeScope();
        foreach (var (name, schema) in _schemas)
        {
            if (dispatcher.Find(name)?.Schema is var found && found != schema)
            {
                return $"{name} has the schema {found ?? "of no operator"}";
            }
        }

        if (dispatcher.Find("aten::no_such_operator") is not null)
        {
            return "an operator is found that there is none of";
        }

        return Arguments(dispatcher) ?? Values(dispatcher) ?? Backward(dispatcher) ?? Failure(dispatcher);
    }

    private static string? Arguments(Dispatcher dispatcher)
    {
        using var grad = no_grad();
        var x = arange(Ops.Scalars.Zero, _six, Ops.Scalars.One, ScalarType.Float32).reshape(2, 3);
        var ids = tensor([1L, 0L]);
        (string Expected, Func<Tensor, Tensor> Program)[] cases =
        [
            ("aten::mul.Tensor(%0, %0)", t => t.mul(t)),
            ("aten::add.Tensor(%0, %0, 0.5)", t => t.add(t, _half)),
            ("aten::add.Scalar(%0, 3, 1)", t => t.add(_three, Ops.Scalars.One)),
            ("aten::sum.dim_IntList(%0, [1], true, f64)", t => t.sum(1, true, ScalarType.Float64)),
            ("aten::gelu(%0, \"none\")", t => nn.functional.gelu(t)),
            ("aten::cat([%0, %0], 1)", t => cat([t, t], 1)),
            ("aten::index.Tensor(%0, [none, %1])", t => t.index(TensorIndex.Colon, TensorIndex.Tensor(ids))),
            ("aten::native_layer_norm(%0, [3], none, none, 1E-05)", t => nn.functional.layer_norm(t, [3])),
            ("aten::bernoulli_.float(%0, 0.5, none)", t => t.bernoulli_(0.5)),
            ("aten::zeros([2], i64, none, @cpu, none)", _ => zeros([2], ScalarType.Int64, CPU)),
        ];
        foreach (var (expected, program) in cases)
        {
            using var recording = DispatcherRecorder.Record(dispatcher, _ => [program(x)], [x], null, null);
            var node = recording.Graph.Nodes[^1].ToString();
            if (!node.EndsWith(" = " + expected, StringComparison.Ordinal))
            {
                return $"{expected} is seen as {node}";
            }
        }

        return null;
    }

    private static string? Values(Dispatcher dispatcher)
    {
        using var grad = no_grad();
        var x = arange(Ops.Scalars.Zero, _six, Ops.Scalars.One, ScalarType.Float32).reshape(2, 3);
        var ids = tensor([1L, 0L]);
        IReadOnlyList<Tensor> Program(IReadOnlyList<Tensor> inputs)
        {
            var t = inputs[0];
            var pieces = cat([t.mul(_two), t.index(TensorIndex.Colon, TensorIndex.Tensor(ids)).to(ScalarType.Float32)], 1).split([2, 3], 1);
            return [nn.functional.layer_norm(nn.functional.gelu(pieces[1]), [3]), pieces[0].sum(1, true, ScalarType.Float64), ones_like(t, ScalarType.Bool)];
        }

        using var recording = DispatcherRecorder.Record(dispatcher, _ => Program([x]), [x], null, null);
        var y = x.neg().add(_half, Ops.Scalars.One);
        var expected = Program([y]);
        var tensors = new Dictionary<Value, Tensor>(ReferenceEqualityComparer.Instance);
        foreach (var (input, tensor) in recording.Graph.Inputs.Zip(recording.Inputs(y)))
        {
            tensors[input] = tensor;
        }

        foreach (var node in recording.Graph.Nodes)
        {
            var results = dispatcher.Find(node.Operator.Name)!.Call(node.Arguments, [.. node.Inputs.Select(value => tensors[value])]);
            for (var i = 0; i < results.Length; i++)
            {
                tensors[node.Outputs[i]] = results[i];
            }
        }

        return recording.Graph.Outputs.Zip(expected).All(pair => tensors[pair.First].dtype == pair.Second.dtype && tensors[pair.First].equal(pair.Second).all().item<bool>())
            ? null : "a recording run again gives other values";
    }

    private static string? Backward(Dispatcher dispatcher)
    {
        using var grad = enable_grad();
        var w = arange(Ops.Scalars.Zero, _six, Ops.Scalars.One, ScalarType.Float32).reshape(3, 2).requires_grad_(true);
        var x = ones(2, 3);
        using var recording = DispatcherRecorder.Record(dispatcher, _ => [.. autograd.grad([x.mm(w).sigmoid()], [w], [ones(2, 2)])], [w, x], null, null);
        string[] expected = ["aten::mm", "aten::sigmoid", "aten::ones", "aten::sigmoid_backward", "aten::t", "aten::mm"];
        var names = recording.Graph.Nodes.Select(node => node.Operator.Name).ToArray();
        return names.SequenceEqual(expected) ? null : $"a backward pass is seen as {string.Join(", ", names)}";
    }

    private static unsafe string? Failure(Dispatcher dispatcher)
    {
        const int Fatal = 3;
        // An operator that throws in C++: it must come out as an exception of C#, and the process must live.
        var op = dispatcher.Find("aten::mm")!;
        var builder = new GraphBuilder();
        var input = builder.Input(new(ScalarType.Float32, [2, 3]), GraphInputKind.Argument, "a");
        var x = ones(2, 3);
        var level = *dispatcher.Symbols.LogLevel;
        try
        {
            *dispatcher.Symbols.LogLevel = Fatal;
            op.Call([input, input], [x, x]);
            return "an operator that must fail does not";
        }
        catch (GraphException)
        {
            return dispatcher.Find("aten::t")!.Call([input], [x])[0].shape is [3, 2] ? null : "after an operator that failed another gives a wrong shape";
        }
        finally
        {
            *dispatcher.Symbols.LogLevel = level;
        }
    }
}
