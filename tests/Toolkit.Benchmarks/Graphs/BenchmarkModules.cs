using Toolkit.Ops;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Toolkit.Benchmarks.Graphs;

/// <summary>Modules as users write them, none of which knows that it will be captured.</summary>
internal static class BenchmarkModules
{
    /// <summary>Each with a name and an input.</summary>
    public static IEnumerable<(string Name, Func<Module<Tensor, Tensor>> Make, Func<Tensor> Input)> All()
    {
        foreach (var rows in new[] { 1, 16, 256 })
        {
            yield return ($"mlp 256-1024-256, {rows} rows", () => Sequential(("a", Linear(256, 1024)), ("b", GELU()), ("c", Linear(1024, 256)), ("d", ReLU()), ("e", Linear(256, 10))), () => randn(rows, 256));
        }

        foreach (var time in new[] { 1, 16, 128 })
        {
            yield return ($"gpt block 256, T={time}", () => new GptBlock(256, 8), () => randn(1, time, 256));
            yield return ($"llama block 256, T={time}", () => new LlamaBlock(256, 8, 688), () => randn(1, time, 256));
        }

        yield return ("gpt block 256, B=8 T=64", () => new GptBlock(256, 8), () => randn(8, 64, 256));
        yield return ("lenet, 1 image", () => new LeNet(), () => randn(1, 1, 28, 28));
        yield return ("lenet, 32 images", () => new LeNet(), () => randn(32, 1, 28, 28));
        yield return ("resnet block 64, 1 image", () => new ResidualBlock(64), () => randn(1, 64, 28, 28));
        yield return ("resnet block 64, 8 images", () => new ResidualBlock(64), () => randn(8, 64, 28, 28));
        yield return ("lstm cell loop 64x128", () => new LstmLoop(64, 128), () => randn(4, 12, 64));
        yield return ("transformer encoder layer 128", () => new Encoder(), () => randn(32, 4, 128));
        yield return ("autoencoder 784", () => Sequential(("a", Linear(784, 256)), ("b", ReLU()), ("c", Linear(256, 32)), ("d", ReLU()), ("e", Linear(32, 256)), ("f", ReLU()), ("g", Linear(256, 784)), ("h", Sigmoid())), () => randn(64, 784));
        yield return ("mixture of experts 128, T=16", () => new MixtureOfExperts(128, 4), () => randn(16, 128));
        yield return ("softmax over channels", () => new ChannelSoftmax(), () => randn(8, 32, 24, 24));
        yield return ("standardise columns", () => new Standardise(), () => randn(2048, 256));
        yield return ("x·W with W (K, N), 1 row", () => new Projection(512, 2048), () => randn(1, 512));
        yield return ("x·W with W (K, N), 8 rows", () => new Projection(512, 2048), () => randn(8, 512));
    }

    /// <summary>A Llama of some layers without embedding and head, 256 wide.</summary>
    public static Module<Tensor, Tensor> Llama(int layers) => Sequential([.. Enumerable.Range(0, layers).Select(i => ($"layer{i}", (Module<Tensor, Tensor>)new LlamaBlock(256, 8, 688)))]);

    private sealed class GptBlock : Module<Tensor, Tensor>
    {
        private readonly LayerNorm _first;
        private readonly LayerNorm _second;
        private readonly Linear _qkv;
        private readonly Linear _out;
        private readonly Linear _up;
        private readonly Linear _down;
        private readonly int _heads;

        public GptBlock(int width, int heads)
            : base(nameof(GptBlock))
        {
            _heads = heads;
            (_first, _second, _qkv, _out) = (LayerNorm(width), LayerNorm(width), Linear(width, 3 * width), Linear(width, width));
            (_up, _down) = (Linear(width, 4 * width), Linear(4 * width, width));
            RegisterComponents();
        }

        public override Tensor forward(Tensor x)
        {
            var (b, t, c) = (x.shape[0], x.shape[1], x.shape[2]);
            var parts = _qkv.forward(_first.forward(x)).split(c, 2);
            var q = parts[0].view(b, t, _heads, c / _heads).transpose(1, 2);
            var k = parts[1].view(b, t, _heads, c / _heads).transpose(1, 2);
            var v = parts[2].view(b, t, _heads, c / _heads).transpose(1, 2);
            var y = functional.scaled_dot_product_attention(q, k, v, is_casual: true);
            x = x + _out.forward(y.transpose(1, 2).contiguous().view(b, t, c));
            return x + _down.forward(functional.gelu(_up.forward(_second.forward(x))));
        }
    }

    private sealed class LlamaBlock : Module<Tensor, Tensor>
    {
        private readonly Parameter _first;
        private readonly Parameter _second;
        private readonly Linear _q;
        private readonly Linear _k;
        private readonly Linear _v;
        private readonly Linear _o;
        private readonly Linear _gate;
        private readonly Linear _up;
        private readonly Linear _down;
        private readonly int _heads;
        private readonly int _depth;

        public LlamaBlock(int width, int heads, int hidden)
            : base(nameof(LlamaBlock))
        {
            (_heads, _depth) = (heads, width / heads);
            (_first, _second) = (Parameter(ones(width)), Parameter(ones(width)));
            (_q, _k, _v, _o) = (Linear(width, width, false), Linear(width, width / 4, false), Linear(width, width / 4, false), Linear(width, width, false));
            (_gate, _up, _down) = (Linear(width, hidden, false), Linear(width, hidden, false), Linear(hidden, width, false));
            RegisterComponents();
        }

        public override Tensor forward(Tensor x)
        {
            var (b, t) = (x.shape[0], x.shape[1]);
            var angles = arange(t, ScalarType.Float32).unsqueeze(1) * pow(tensor(10000f), -arange(_depth / 2, ScalarType.Float32) * (2f / _depth));
            var (cos, sin) = (angles.cos().unsqueeze(1), angles.sin().unsqueeze(1));
            var n = RmsNorm.Apply(x, _first, 1e-5);
            var q = RotaryEmbedding.Apply(_q.forward(n).view(b, t, _heads, _depth), cos, sin);
            var k = RotaryEmbedding.Apply(_k.forward(n).view(b, t, -1, _depth), cos, sin);
            var v = _v.forward(n).view(b, t, -1, _depth);
            x = x + _o.forward(Attention.Apply(q, k, v).reshape(b, t, -1));
            n = RmsNorm.Apply(x, _second, 1e-5);
            return x + _down.forward(SwiGlu.Apply(_gate.forward(n), _up.forward(n)));
        }
    }

    private sealed class LeNet : Module<Tensor, Tensor>
    {
        private readonly Module<Tensor, Tensor> _features = Sequential(("c1", Conv2d(1, 6, 5, padding: 2)), ("r1", ReLU()), ("p1", MaxPool2d(2)), ("c2", Conv2d(6, 16, 5)), ("r2", ReLU()), ("p2", MaxPool2d(2)));
        private readonly Module<Tensor, Tensor> _classifier = Sequential(("l1", Linear(400, 120)), ("r1", ReLU()), ("l2", Linear(120, 84)), ("r2", ReLU()), ("l3", Linear(84, 10)));

        public LeNet()
            : base(nameof(LeNet)) => RegisterComponents();

        public override Tensor forward(Tensor x) => functional.log_softmax(_classifier.forward(_features.forward(x).flatten(1)), 1);
    }

    private sealed class ResidualBlock : Module<Tensor, Tensor>
    {
        private readonly Conv2d _first;
        private readonly Conv2d _second;
        private readonly BatchNorm2d _firstNorm;
        private readonly BatchNorm2d _secondNorm;

        public ResidualBlock(int channels)
            : base(nameof(ResidualBlock))
        {
            (_first, _second) = (Conv2d(channels, channels, 3, padding: 1, bias: false), Conv2d(channels, channels, 3, padding: 1, bias: false));
            (_firstNorm, _secondNorm) = (BatchNorm2d(channels), BatchNorm2d(channels));
            RegisterComponents();
        }

        public override Tensor forward(Tensor x) => functional.relu(_secondNorm.forward(_second.forward(functional.relu(_firstNorm.forward(_first.forward(x))))) + x);
    }

    private sealed class LstmLoop : Module<Tensor, Tensor>
    {
        private readonly LSTMCell _cell;
        private readonly long _hidden;

        public LstmLoop(int inputs, int hidden)
            : base(nameof(LstmLoop))
        {
            (_cell, _hidden) = (LSTMCell(inputs, hidden), hidden);
            RegisterComponents();
        }

        public override Tensor forward(Tensor x)
        {
            var (h, c) = (zeros(x.shape[0], _hidden), zeros(x.shape[0], _hidden));
            for (var t = 0; t < x.shape[1]; t++)
            {
                (h, c) = _cell.forward(x.select(1, t), (h, c));
            }

            return h;
        }
    }

    private sealed class Encoder : Module<Tensor, Tensor>
    {
        private readonly TransformerEncoderLayer _layer = TransformerEncoderLayer(128, 4, 256);

        public Encoder()
            : base(nameof(Encoder)) => RegisterComponents();

        public override Tensor forward(Tensor x) => _layer.call(x, null!, null!);
    }

    private sealed class MixtureOfExperts : Module<Tensor, Tensor>
    {
        private readonly Linear _router;
        private readonly ModuleList<Module<Tensor, Tensor>> _experts;

        public MixtureOfExperts(int width, int experts)
            : base(nameof(MixtureOfExperts))
        {
            _router = Linear(width, experts);
            _experts = ModuleList([.. Enumerable.Range(0, experts).Select(_ => (Module<Tensor, Tensor>)Sequential(("up", Linear(width, 4 * width)), ("act", SiLU()), ("down", Linear(4 * width, width))))]);
            RegisterComponents();
        }

        public override Tensor forward(Tensor x)
        {
            var (values, indices) = _router.forward(x).softmax(-1).topk(2);
            values = values / values.sum(-1, true);
            var y = zeros_like(x);
            for (var i = 0; i < _experts.Count; i++)
            {
                y = y + (_experts[i].forward(x) * values.masked_fill(indices != i, 0).sum(-1, true));
            }

            return y;
        }
    }

    private sealed class ChannelSoftmax() : Module<Tensor, Tensor>(nameof(ChannelSoftmax))
    {
        public override Tensor forward(Tensor x) => (x * 2).softmax(1);
    }

    private sealed class Standardise() : Module<Tensor, Tensor>(nameof(Standardise))
    {
        public override Tensor forward(Tensor x) => (x - x.mean([0], true)) / (x.var(0, unbiased: false, keepdim: true) + 1e-5).sqrt();
    }

    private sealed class Projection : Module<Tensor, Tensor>
    {
        private readonly Parameter _weight;

        public Projection(int from, int to)
            : base(nameof(Projection))
        {
            _weight = Parameter(randn(from, to) / 20);
            RegisterComponents();
        }

        public override Tensor forward(Tensor x) => functional.gelu(x.matmul(_weight));
    }
}
