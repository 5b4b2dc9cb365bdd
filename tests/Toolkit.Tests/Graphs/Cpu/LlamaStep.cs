using Toolkit.Graphs;
using Toolkit.Ops;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Cpu;

/// <summary>One decode step of a Llama with random weights, twice: as a graph (static cache, position as data) and as a person writes it with TorchSharp and the engine's operations.</summary>
internal sealed class LlamaStep : IDisposable
{
    private readonly int _layers;
    private readonly int _width;
    private readonly int _heads;
    private readonly int _keyValueHeads;
    private readonly int _capacity;
    private readonly Tensor[] _weights;
    private readonly Tensor[] _caches;
    private readonly Tensor _cos;
    private readonly Tensor _sin;
    private readonly Tensor _embedding;
    private readonly Tensor _head;
    private readonly Tensor _finalNorm;

    public LlamaStep(int layers, int width, int heads, int keyValueHeads, int hidden, int vocabulary, int capacity, ScalarType type)
    {
        (_layers, _width, _heads, _keyValueHeads, _capacity, Type) = (layers, width, heads, keyValueHeads, capacity, type);
        using var generator = new Generator(1);
        using var scope = NewDisposeScope();
        Tensor Make(params long[] shape) => (randn(shape, ScalarType.Float32, generator: generator) / Math.Sqrt(shape[^1])).to(type).DetachFromDisposeScope();
        var keys = (long)width / heads * keyValueHeads;
        _weights = [.. Enumerable.Range(0, layers).SelectMany(_ => new[]
        {
            ones(width, type).DetachFromDisposeScope(), Make(width, width), Make(keys, width), Make(keys, width), Make(width, width),
            ones(width, type).DetachFromDisposeScope(), Make(hidden, width), Make(hidden, width), Make(width, hidden),
        })];
        _caches = [.. Enumerable.Range(0, 2 * layers).Select(_ => zeros([1, capacity, keyValueHeads, width / heads], type).DetachFromDisposeScope())];
        var angles = arange(capacity, ScalarType.Float32).unsqueeze(1) * pow(tensor(10000f), -arange(width / heads / 2, ScalarType.Float32) * (2f * heads / width));
        (_cos, _sin) = (angles.cos().unsqueeze(1).to(type).DetachFromDisposeScope(), angles.sin().unsqueeze(1).to(type).DetachFromDisposeScope());
        (_embedding, _head, _finalNorm) = (Make(vocabulary, width), Make(vocabulary, width), ones(width, type).DetachFromDisposeScope());
    }

    public ScalarType Type { get; }

    /// <summary>Bytes of the weights that a step reads.</summary>
    public long WeightBytes => _weights.Append(_head).Sum(weight => weight.numel() * weight.element_size());

    /// <summary>Keys and values of every layer.</summary>
    public IReadOnlyList<Tensor> Caches => _caches;

    /// <summary>The step of TorchSharp: logits (1, 1, V).</summary>
    public Tensor Eager(Tensor id, int position)
    {
        using var scope = NewDisposeScope();
        var x = _embedding.index_select(0, id).unsqueeze(0);
        var (cos, sin) = (_cos.narrow(0, position, 1), _sin.narrow(0, position, 1));
        for (var i = 0; i < _layers; i++)
        {
            var w = _weights.AsSpan(9 * i, 9);
            var n = RmsNorm.Apply(x, w[0], 1e-5);
            var q = RotaryEmbedding.Apply(nn.functional.linear(n, w[1]).view(1, 1, _heads, -1), cos, sin);
            var k = RotaryEmbedding.Apply(nn.functional.linear(n, w[2]).view(1, 1, _keyValueHeads, -1), cos, sin);
            var v = nn.functional.linear(n, w[3]).view(1, 1, _keyValueHeads, -1);
            _caches[2 * i].narrow(1, position, 1).copy_(k);
            _caches[(2 * i) + 1].narrow(1, position, 1).copy_(v);
            var a = Attention.Apply(q, _caches[2 * i].narrow(1, 0, position + 1), _caches[(2 * i) + 1].narrow(1, 0, position + 1));
            x = x + nn.functional.linear(a.reshape(1, 1, _width), w[4]);
            n = RmsNorm.Apply(x, w[5], 1e-5);
            x = x + nn.functional.linear(SwiGlu.Apply(nn.functional.linear(n, w[6]), nn.functional.linear(n, w[7])), w[8]);
        }

        return nn.functional.linear(RmsNorm.Apply(x, _finalNorm, 1e-5), _head).MoveToOuterDisposeScope();
    }

    /// <summary>The same step as a graph. Its inputs are those of <see cref="Inputs"/>.</summary>
    public Graph Graph()
    {
        var g = new GraphBuilder();
        var id = g.Input(new(ScalarType.Int64, [1]), GraphInputKind.Argument, "id");
        var position = g.Input(new(ScalarType.Int64, [1]), GraphInputKind.Argument, "position");
        var positions = g.Input(new(ScalarType.Int64, [_capacity]), GraphInputKind.Constant, "positions");
        Value Parameter(Tensor tensor, string name) => g.Input(TensorType.Of(tensor), GraphInputKind.Parameter, name);
        var (table, cosines, sines) = (Parameter(_embedding, "embedding"), Parameter(_cos, "cos"), Parameter(_sin, "sin"));
        var weights = _weights.Select((weight, i) => Parameter(weight, $"layers.{i / 9}.{i % 9}")).ToArray();
        var caches = _caches.Select((cache, i) => g.Input(TensorType.Of(cache), GraphInputKind.Argument, $"cache.{i}")).ToArray();
        var (norm, head) = (Parameter(_finalNorm, "norm"), Parameter(_head, "head"));
        var x = g.Add("aten::unsqueeze", g.Add("aten::embedding", table, id), 0L);
        var (cos, sin) = (g.Add("aten::index_select", cosines, 0L, position), g.Add("aten::index_select", sines, 0L, position));
        var mask = g.Add("aten::le.Tensor", positions, position);
        var depth = _width / _heads;
        var mutations = new List<Mutation>();
        for (var i = 0; i < _layers; i++)
        {
            g.Origin = new($"layers.{i}", "Block.forward");
            var w = weights.AsSpan(9 * i, 9);
            var n = g.Add("toolkit::rms_norm", x, w[0], 1e-5);
            var q = g.Add("toolkit::rotary", g.Add("aten::view", g.Add("aten::linear", n, w[1]), new long[] { 1, 1, _heads, depth }), cos, sin);
            var k = g.Add("toolkit::rotary", g.Add("aten::view", g.Add("aten::linear", n, w[2]), new long[] { 1, 1, _keyValueHeads, depth }), cos, sin);
            var v = g.Add("aten::view", g.Add("aten::linear", n, w[3]), new long[] { 1, 1, _keyValueHeads, depth });
            var (keys, values) = (g.Add("aten::index_copy", caches[2 * i], 1L, position, k), g.Add("aten::index_copy", caches[(2 * i) + 1], 1L, position, v));
            mutations.AddRange([new(caches[2 * i], keys), new(caches[(2 * i) + 1], values)]);
            var a = g.Add("toolkit::attention", q, keys, values, mask);
            x = g.Add("aten::add.Tensor", x, g.Add("aten::linear", g.Add("aten::reshape", a, new long[] { 1, 1, _width }), w[4]));
            n = g.Add("toolkit::rms_norm", x, w[5], 1e-5);
            x = g.Add("aten::add.Tensor", x, g.Add("aten::linear", g.Add("toolkit::swiglu", g.Add("aten::linear", n, w[6]), g.Add("aten::linear", n, w[7])), w[8]));
        }

        g.Origin = new("", "Llama.forward");
        return g.Build([g.Add("aten::linear", g.Add("toolkit::rms_norm", x, norm, 1e-5), head)], mutations);
    }

    /// <summary>What the graph is given.</summary>
    public Tensor[] Inputs(Tensor id, Tensor position, Tensor positions) => [id, position, positions, _embedding, _cos, _sin, .. _weights, .. _caches, _finalNorm, _head];

    public void Dispose()
    {
        foreach (var tensor in _weights.Concat(_caches).Concat([_cos, _sin, _embedding, _head, _finalNorm]))
        {
            tensor.Dispose();
        }
    }
}
