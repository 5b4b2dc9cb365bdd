using Toolkit.Graphs;
using Toolkit.Models;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;
using F = TorchSharp.torch.nn.functional;

namespace Toolkit.Tests.Graphs.Training;

/// <summary>Modules written without regard to capture, small, each with inputs.</summary>
internal static class TrainedModules
{
    /// <summary>All of them by name.</summary>
    public static IReadOnlyDictionary<string, Func<CompileOptions?, TrainedCall>> All { get; } = new Dictionary<string, Func<CompileOptions?, TrainedCall>>
    {
        ["mlp"] = options => TrainedCall.Of(options, Sequential(Linear(8, 16), GELU(), Linear(16, 4)), randn(5, 8)),
        ["mlp with dropout"] = options => TrainedCall.Of(options, Sequential(Linear(8, 32), ReLU(), Dropout(0.3), Linear(32, 4)), randn(5, 8)),
        ["mlp with frozen layer"] = options => TrainedCall.Of(options, Frozen(Sequential(("a", Linear(8, 16)), ("b", Tanh()), ("c", Linear(16, 4)))), randn(5, 8)),
        ["mlp, gradient of the input"] = options => TrainedCall.Of(options, Sequential(Linear(8, 16), SiLU(), Linear(16, 4)), randn(5, 8, requires_grad: true)),
        ["gpt, manual attention"] = options => TrainedCall.Of(options, new Gpt(19, 12, 16, 2, 2, isManual: true), randint(0, 19, [2, 12])),
        ["gpt, sdpa, dropout"] = options => TrainedCall.Of(options, new Gpt(19, 12, 16, 2, 2, isManual: false), randint(0, 19, [2, 12])),
        ["gpt with loss"] = options => TrainedCall.Of(options, new WithLoss(new Gpt(19, 12, 16, 2, 2, isManual: true)), randint(0, 19, [2, 12]), randint(0, 19, [2, 12])),
        ["llama block"] = options => TrainedCall.Of(options, new LlamaBlock(16, 4, 2), randn(2, 6, 16)),
        ["engine decoder with loss"] = options => TrainedCall.Of(options, new DecoderLoss(), randint(0, 50, [2, 9]), randint(0, 50, [2, 9])),
        ["lenet"] = options => TrainedCall.Of(options, new LeNet(), randn(3, 1, 28, 28)),
        ["resnet block"] = options => TrainedCall.Of(options, new ResNetBlock(4, 8), randn(3, 4, 8, 8)),
        ["lstm"] = options => TrainedCall.Of(options, new Recurrent(LSTM(6, 8, batchFirst: true)), randn(2, 5, 6)),
        ["gru, two layers"] = options => TrainedCall.Of(options, new GatedRecurrent(GRU(6, 8, 2, batchFirst: true)), randn(2, 5, 6)),
        ["lstm cell loop"] = options => TrainedCall.Of(options, new CellLoop(), randn(4, 3, 6)),
        ["transformer encoder layer"] = options => TrainedCall.Of(options, TransformerEncoderLayer(16, 4, 32, 0.1), randn(5, 2, 16)),
        ["multihead attention"] = options => TrainedCall.Of(options, new SelfAttention(16, 4), randn(5, 2, 16)),
        ["autoencoder"] = options => TrainedCall.Of(options, new Autoencoder(), rand(4, 20)),
        ["mixture of experts"] = options => TrainedCall.Of(options, new Mixture(12, 3), randn(6, 12)),
        ["embedding and cross entropy"] = options => TrainedCall.Of(options, new Classifier(), randint(0, 11, [4, 3]), randint(0, 5, [4])),
    };

    private static Sequential Frozen(Sequential module)
    {
        foreach (var parameter in module.parameters().Take(2))
        {
            parameter.requires_grad = false;
        }

        return module;
    }

    /// <summary>nanoGPT, as one writes it.</summary>
    internal sealed class Gpt : Module<Tensor, Tensor>
    {
        private readonly Embedding _tokens;
        private readonly Embedding _positions;
        private readonly Dropout _dropout;
        private readonly ModuleList<GptBlock> _blocks;
        private readonly LayerNorm _norm;
        private readonly Linear _head;

        public Gpt(int vocabulary, int time, int width, int heads, int layers, bool isManual)
            : base(nameof(Gpt))
        {
            (_tokens, _positions, _dropout) = (Embedding(vocabulary, width), Embedding(time, width), Dropout(isManual ? 0 : 0.1));
            _blocks = new([.. Enumerable.Range(0, layers).Select(_ => new GptBlock(width, heads, isManual))]);
            (_norm, _head) = (LayerNorm(width), Linear(width, vocabulary, hasBias: false));
            RegisterComponents();
        }

        public override Tensor forward(Tensor ids)
        {
            using var scope = NewDisposeScope();
            var x = _dropout.call(_tokens.call(ids) + _positions.call(arange(ids.shape[1], device: ids.device)));
            foreach (var block in _blocks)
            {
                x = block.call(x);
            }

            return _head.call(_norm.call(x)).MoveToOuterDisposeScope();
        }
    }

    internal sealed class GptBlock : Module<Tensor, Tensor>
    {
        private readonly LayerNorm _norm1;
        private readonly LayerNorm _norm2;
        private readonly Linear _attention;
        private readonly Linear _projection;
        private readonly Linear _up;
        private readonly Linear _down;
        private readonly int _heads;
        private readonly bool _isManual;

        public GptBlock(int width, int heads, bool isManual)
            : base(nameof(GptBlock))
        {
            (_norm1, _norm2, _attention, _projection) = (LayerNorm(width), LayerNorm(width), Linear(width, 3 * width), Linear(width, width));
            (_up, _down, _heads, _isManual) = (Linear(width, 4 * width), Linear(4 * width, width), heads, isManual);
            RegisterComponents();
        }

        public override Tensor forward(Tensor x)
        {
            x = x + Attend(_norm1.call(x));
            return x + _down.call(F.gelu(_up.call(_norm2.call(x))));
        }

        private Tensor Attend(Tensor x)
        {
            var (b, t, c) = (x.shape[0], x.shape[1], x.shape[2]);
            var parts = _attention.call(x).split(c, dim: 2);
            Tensor Heads(Tensor part) => part.view(b, t, _heads, c / _heads).transpose(1, 2);
            var (q, k, v) = (Heads(parts[0]), Heads(parts[1]), Heads(parts[2]));
            Tensor y;
            if (_isManual)
            {
                var scores = q.matmul(k.transpose(-2, -1)) / Math.Sqrt(c / _heads);
                y = F.softmax(scores.masked_fill(ones(t, t).tril().eq(0), float.NegativeInfinity), -1).matmul(v);
            }
            else
            {
                y = F.scaled_dot_product_attention(q, k, v, is_casual: true);
            }

            return _projection.call(y.transpose(1, 2).contiguous().view(b, t, c));
        }
    }

    /// <summary>Logits and their loss in one module.</summary>
    internal sealed class WithLoss : Module<Tensor, Tensor, Tensor>
    {
        private readonly Module<Tensor, Tensor> _model;

        public WithLoss(Module<Tensor, Tensor> model)
            : base(nameof(WithLoss))
        {
            _model = model;
            RegisterComponents();
        }

        public override Tensor forward(Tensor ids, Tensor targets)
        {
            var logits = _model.call(ids);
            return F.cross_entropy(logits.view(-1, logits.shape[^1]), targets.view(-1));
        }
    }

    private sealed class LlamaBlock : Module<Tensor, Tensor>
    {
        private readonly Parameter _norm1;
        private readonly Parameter _norm2;
        private readonly Linear _q;
        private readonly Linear _k;
        private readonly Linear _v;
        private readonly Linear _o;
        private readonly Linear _gate;
        private readonly Linear _up;
        private readonly Linear _down;
        private readonly int _heads;
        private readonly int _groups;

        public LlamaBlock(int width, int heads, int groups)
            : base(nameof(LlamaBlock))
        {
            var size = width / heads;
            (_norm1, _norm2, _heads, _groups) = (new Parameter(rand(width)), new Parameter(rand(width)), heads, groups);
            (_q, _k, _v, _o) = (Linear(width, width, false), Linear(width, groups * size, false), Linear(width, groups * size, false), Linear(width, width, false));
            (_gate, _up, _down) = (Linear(width, 3 * width, false), Linear(width, 3 * width, false), Linear(3 * width, width, false));
            RegisterComponents();
        }

        public override Tensor forward(Tensor x)
        {
            var (b, t, c) = (x.shape[0], x.shape[1], x.shape[2]);
            var size = c / _heads;
            var y = Norm(x, _norm1);
            var q = Rotate(_q.call(y).view(b, t, _heads, size).transpose(1, 2));
            var k = Rotate(_k.call(y).view(b, t, _groups, size).transpose(1, 2)).repeat_interleave(_heads / _groups, 1);
            var v = _v.call(y).view(b, t, _groups, size).transpose(1, 2).repeat_interleave(_heads / _groups, 1);
            x = x + _o.call(F.scaled_dot_product_attention(q, k, v, is_casual: true).transpose(1, 2).reshape(b, t, c));
            y = Norm(x, _norm2);
            return x + _down.call(F.silu(_gate.call(y)) * _up.call(y));
        }

        private static Tensor Norm(Tensor x, Tensor weight) => x * rsqrt(x.pow(2).mean([-1L], keepdim: true) + 1e-5) * weight;

        private static Tensor Rotate(Tensor x)
        {
            var half = x.shape[^1] / 2;
            var angles = arange(x.shape[2], ScalarType.Float32).unsqueeze(1) * pow(10000.0, arange(half, ScalarType.Float32) / -half);
            var (a, b) = (x[.., .., .., ..(int)half], x[.., .., .., (int)half..]);
            return cat([a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()], -1);
        }
    }

    private sealed class DecoderLoss : Module<Tensor, Tensor, Tensor>
    {
        private readonly Decoder _decoder = Decoder.Create(DecoderConfig.Llama(2, 32, 4, 2, 50), 1);

        public DecoderLoss()
            : base(nameof(DecoderLoss)) => RegisterComponents();

        public override Tensor forward(Tensor ids, Tensor targets) => _decoder.Loss(ids, targets);
    }

    private sealed class LeNet : Module<Tensor, Tensor>
    {
        private readonly Conv2d _first = Conv2d(1, 6, 5, padding: 2);
        private readonly Conv2d _second = Conv2d(6, 16, 5);
        private readonly Sequential _head = Sequential(Linear(400, 32), ReLU(), Linear(32, 10));

        public LeNet()
            : base(nameof(LeNet)) => RegisterComponents();

        public override Tensor forward(Tensor x)
        {
            x = F.max_pool2d(F.relu(_first.call(x)), 2);
            x = F.max_pool2d(F.relu(_second.call(x)), 2);
            return F.log_softmax(_head.call(x.flatten(1)), 1);
        }
    }

    private sealed class ResNetBlock : Module<Tensor, Tensor>
    {
        private readonly Conv2d _first;
        private readonly Conv2d _second;
        private readonly Conv2d _skip;
        private readonly BatchNorm2d _norm1;
        private readonly BatchNorm2d _norm2;

        public ResNetBlock(int inputs, int outputs)
            : base(nameof(ResNetBlock))
        {
            (_first, _second, _skip) = (Conv2d(inputs, outputs, 3, stride: 2, padding: 1, bias: false), Conv2d(outputs, outputs, 3, padding: 1, bias: false), Conv2d(inputs, outputs, 1, stride: 2));
            (_norm1, _norm2) = (BatchNorm2d(outputs), BatchNorm2d(outputs));
            RegisterComponents();
        }

        public override Tensor forward(Tensor x) => F.relu(_norm2.call(_second.call(F.relu(_norm1.call(_first.call(x))))) + _skip.call(x));
    }

    private sealed class Recurrent : Module<Tensor, Tensor>
    {
        private readonly LSTM _lstm;
        private readonly Linear _head = Linear(8, 3);

        public Recurrent(LSTM lstm)
            : base(nameof(Recurrent))
        {
            _lstm = lstm;
            RegisterComponents();
        }

        public override Tensor forward(Tensor x)
        {
            var (y, h, _) = _lstm.call(x);
            return _head.call(y) + h.sum();
        }
    }

    private sealed class GatedRecurrent : Module<Tensor, Tensor>
    {
        private readonly GRU _gru;

        public GatedRecurrent(GRU gru)
            : base(nameof(GatedRecurrent))
        {
            _gru = gru;
            RegisterComponents();
        }

        public override Tensor forward(Tensor x) => _gru.call(x).Item1.relu();
    }

    private sealed class CellLoop : Module<Tensor, Tensor>
    {
        private readonly LSTMCell _cell = LSTMCell(6, 8);

        public CellLoop()
            : base(nameof(CellLoop)) => RegisterComponents();

        public override Tensor forward(Tensor x)
        {
            var (h, c) = (zeros(x.shape[1], 8), zeros(x.shape[1], 8));
            for (var t = 0; t < x.shape[0]; t++)
            {
                (h, c) = _cell.call(x[t], (h, c));
            }

            return h;
        }
    }

    private sealed class SelfAttention : Module<Tensor, Tensor>
    {
        private readonly MultiheadAttention _attention;

        public SelfAttention(int width, int heads)
            : base(nameof(SelfAttention))
        {
            _attention = MultiheadAttention(width, heads);
            RegisterComponents();
        }

        public override Tensor forward(Tensor x) => _attention.call(x, x, x, null, true, null).Item1;
    }

    private sealed class Autoencoder : Module<Tensor, Tensor>
    {
        private readonly Sequential _encoder = Sequential(Linear(20, 8), ELU(), Linear(8, 3));
        private readonly Sequential _decoder = Sequential(Linear(3, 8), LeakyReLU(0.1), Linear(8, 20), Sigmoid());

        public Autoencoder()
            : base(nameof(Autoencoder)) => RegisterComponents();

        public override Tensor forward(Tensor x) => F.mse_loss(_decoder.call(_encoder.call(x)), x) + F.binary_cross_entropy(_decoder.call(_encoder.call(x)), x);
    }

    private sealed class Mixture : Module<Tensor, Tensor>
    {
        private readonly Linear _gate;
        private readonly ModuleList<Sequential> _experts;

        public Mixture(int width, int experts)
            : base(nameof(Mixture))
        {
            _gate = Linear(width, experts);
            _experts = new([.. Enumerable.Range(0, experts).Select(_ => Sequential(Linear(width, 2 * width), GELU(), Linear(2 * width, width)))]);
            RegisterComponents();
        }

        public override Tensor forward(Tensor x)
        {
            var (best, places) = _gate.call(x).softmax(-1).topk(2);
            var weights = zeros(x.shape[0], _experts.Count).scatter(1, places, best / best.sum(-1, keepdim: true));
            return _experts.Select((expert, i) => expert.call(x) * weights[.., i..(i + 1)]).Aggregate((a, b) => a + b);
        }
    }

    private sealed class Classifier : Module<Tensor, Tensor, Tensor>
    {
        private readonly Embedding _table = Embedding(11, 6, padding_idx: 0);
        private readonly Linear _head = Linear(18, 5);
        private readonly CrossEntropyLoss _loss = CrossEntropyLoss();

        public Classifier()
            : base(nameof(Classifier)) => RegisterComponents();

        public override Tensor forward(Tensor ids, Tensor targets) => _loss.call(_head.call(_table.call(ids).flatten(1)), targets);
    }
}
