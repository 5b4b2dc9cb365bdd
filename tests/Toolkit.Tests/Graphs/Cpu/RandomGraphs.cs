using Toolkit.Graphs;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Cpu;

/// <summary>Graphs of random operations on tensors of random shapes: pointwise chains, reductions, views, products, concatenations, with broadcasting and several types.</summary>
internal sealed class RandomGraphs(int seed)
{
    private static readonly string[] Unary = ["neg", "abs", "relu", "exp", "tanh", "sigmoid", "silu", "gelu", "sin", "cos", "erf", "square", "floor"];
    private static readonly string[] Binary = ["add.Tensor", "sub.Tensor", "mul.Tensor", "maximum", "minimum"];
    private static readonly string[] Comparisons = ["lt.Tensor", "ge.Tensor", "ne.Tensor"];
    private readonly Random _random = new(seed);
    private readonly GraphBuilder _builder = new();
    private readonly List<Value> _values = [];

    /// <summary>The graph of a seed.</summary>
    public static Graph Make(int seed) => new RandomGraphs(seed).Build();

    private Graph Build()
    {
        var type = _random.Next(8) == 0 ? ScalarType.Float64 : _random.Next(10) == 0 ? ScalarType.BFloat16 : ScalarType.Float32;
        var rank = _random.Next(1, 4);
        long[] shape = [.. Enumerable.Range(0, rank).Select(_ => Extent())];
        for (var i = 0; i < _random.Next(1, 4); i++)
        {
            // Of the shape, or one that is broadcast to it.
            _values.Add(_builder.Input(new(type, [.. shape.Select(size => i > 0 && _random.Next(4) == 0 ? 1 : size)]), GraphInputKind.Argument, $"x{i}"));
        }

        for (var i = 0; i < _random.Next(2, 10); i++)
        {
            Add();
        }

        var outputs = _values.Where(value => value is not GraphInput).OrderBy(_ => _random.Next()).Take(_random.Next(1, 4)).Append(_values[^1]).Distinct().ToArray();
        return _builder.Build(outputs);
    }

    private long Extent() => _random.Next(6) switch { 0 => 1, 1 => _random.Next(30, 70), 2 => 8, 3 => 16, _ => _random.Next(2, 20) };

    private Value Pick() => _values[_random.Next(3) > 0 ? Math.Max(0, _values.Count - 1 - _random.Next(3)) : _random.Next(_values.Count)];

    private void Add()
    {
        var x = Pick();
        var rank = x.Type.Shape.Count;
        var isReal = x.Type.DType is ScalarType.Float32 or ScalarType.Float64 or ScalarType.BFloat16;
        Value? result = _random.Next(14) switch
        {
            0 or 1 or 2 when isReal => _builder.Add($"aten::{Unary[_random.Next(Unary.Length)]}", x),
            3 or 4 or 5 when isReal => WithOther(x, y => _builder.Add($"aten::{Binary[_random.Next(Binary.Length)]}", x, y)),
            6 when isReal && rank > 0 => _builder.Add(_random.Next(2) == 0 ? "aten::sum.dim_IntList" : "aten::mean.dim", x, Dimensions(rank), _random.Next(2) == 0),
            7 when isReal && rank > 0 => _builder.Add(_random.Next(2) == 0 ? "aten::amax" : "aten::amin", x, Dimensions(rank), _random.Next(2) == 0),
            8 when isReal && rank > 0 => _builder.Add("aten::_softmax", x, (long)_random.Next(-1, rank), false),
            9 when isReal && rank > 0 => _builder.Add("aten::layer_norm", x, new[] { x.Type.Shape[^1] }),
            10 when rank > 1 => _builder.Add("aten::transpose.int", x, 0L, -1L),
            11 when rank > 0 && x.Type.Shape[0] > 1 => _builder.Add("aten::slice.Tensor", x, 0L, 1L, x.Type.Shape[0], 1L),
            12 => _random.Next(3) switch
            {
                0 => _builder.Add("aten::unsqueeze", x, (long)_random.Next(rank + 1)),
                1 => _builder.Add("aten::reshape", x, new[] { x.Type.Elements }),
                _ when rank > 0 => _builder.Add("aten::cat", new Value[] { x, x }, (long)_random.Next(rank)),
                _ => null,
            },
            13 when isReal => WithOther(x, y => _builder.Add("aten::where.self", _builder.Add($"aten::{Comparisons[_random.Next(Comparisons.Length)]}", x, y), x, y)),
            _ => null,
        };
        result ??= isReal && rank == 2 ? _builder.Add("aten::linear", x, _builder.Input(new(x.Type.DType, [_random.Next(2, 40), x.Type.Shape[1]]), GraphInputKind.Parameter, "w")) : null;
        if (result is not null && result.Type.Elements < 3_000)
        {
            _values.Add(result);
        }
        else if (_values.Count == 1 || _values.All(value => value is GraphInput))
        {
            _values.Add(_builder.Add("aten::neg", _values[0]));
        }
    }

    /// <summary>Mostly the last, else any one or more.</summary>
    private long[] Dimensions(int rank) =>
        _random.Next(2) == 0 ? [-1] : Enumerable.Range(0, rank).Where(_ => _random.Next(2) == 0).Select(d => (long)d).ToArray() is { Length: > 0 } some ? some : [0];

    private Value? WithOther(Value x, Func<Value, Value> combine) =>
        _values.Where(value => value.Type.DType == x.Type.DType && Shape.Broadcast(value.Type.Shape, x.Type.Shape) is { } shape && shape.Elements < 3_000).OrderBy(_ => _random.Next()).FirstOrDefault() is { } other
            ? combine(other) : null;
}
