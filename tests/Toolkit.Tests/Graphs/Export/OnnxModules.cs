using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Toolkit.Tests.Graphs.Export;

/// <summary>Modules as a person writes them with TorchSharp.</summary>
internal static class OnnxModules
{
    internal sealed class LeNet : Module<Tensor, Tensor>
    {
        private readonly Module<Tensor, Tensor> _features = Sequential(
            Conv2d(1, 6, 5, padding: 2), BatchNorm2d(6), ReLU(), MaxPool2d(2), Conv2d(6, 16, 5), Tanh(), AvgPool2d(2));

        private readonly Module<Tensor, Tensor> _head = Sequential(Linear(16 * 5 * 5, 32), ReLU(), Dropout(0.5), Linear(32, 10), LogSoftmax(-1));

        public LeNet()
            : base(nameof(LeNet)) => RegisterComponents();

        public override Tensor forward(Tensor image) => _head.forward(_features.forward(image).flatten(1));
    }

    internal sealed class Gpt : Module<Tensor, Tensor>
    {
        private readonly Embedding _tokens = Embedding(50, 32);
        private readonly Embedding _positions = Embedding(16, 32);
        private readonly LayerNorm _first = LayerNorm(32);
        private readonly LayerNorm _second = LayerNorm(32);
        private readonly Linear _attention = Linear(32, 96);
        private readonly Linear _output = Linear(32, 32);
        private readonly Module<Tensor, Tensor> _mlp = Sequential(Linear(32, 64), GELU(), Linear(64, 32));
        private readonly Linear _head = Linear(32, 50, hasBias: false);

        public Gpt()
            : base(nameof(Gpt)) => RegisterComponents();

        public override Tensor forward(Tensor ids)
        {
            var (batch, time) = (ids.shape[0], ids.shape[1]);
            var x = _tokens.forward(ids) + _positions.forward(arange(time));
            var parts = _attention.forward(_first.forward(x)).chunk(3, -1);
            var (q, k, v) = (Heads(parts[0]), Heads(parts[1]), Heads(parts[2]));
            var y = functional.scaled_dot_product_attention(q, k, v, is_casual: true);
            x = x + _output.forward(y.transpose(1, 2).contiguous().view(batch, time, 32));
            x = x + _mlp.forward(_second.forward(x));
            return _head.forward(x);

            Tensor Heads(Tensor part) => part.view(batch, time, 4, 8).transpose(1, 2);
        }
    }

    internal sealed class Llama : Module<Tensor, Tensor>
    {
        private const int Width = 32, Heads = 4, KeyValueHeads = 2, Size = 8;
        private readonly Parameter _norm = new(ones(Width));
        private readonly Linear _q = Linear(Width, Heads * Size, hasBias: false);
        private readonly Linear _k = Linear(Width, KeyValueHeads * Size, hasBias: false);
        private readonly Linear _v = Linear(Width, KeyValueHeads * Size, hasBias: false);
        private readonly Linear _o = Linear(Heads * Size, Width, hasBias: false);
        private readonly Linear _gate = Linear(Width, 48, hasBias: false);
        private readonly Linear _up = Linear(Width, 48, hasBias: false);
        private readonly Linear _down = Linear(48, Width, hasBias: false);

        public Llama()
            : base(nameof(Llama)) => RegisterComponents();

        public override Tensor forward(Tensor x)
        {
            var (batch, time) = (x.shape[0], x.shape[1]);
            var n = Normalised(x);
            var angles = arange(time, ScalarType.Float32).unsqueeze(1) * pow(tensor(10000f), arange(Size / 2, ScalarType.Float32) * (-2f / Size));
            var (cos, sin) = (angles.cos(), angles.sin()); // (T, D/2)
            var q = Turned(_q.forward(n).view(batch, time, Heads, Size).transpose(1, 2), cos, sin);
            var k = Turned(_k.forward(n).view(batch, time, KeyValueHeads, Size).transpose(1, 2), cos, sin).repeat_interleave(Heads / KeyValueHeads, 1);
            var v = _v.forward(n).view(batch, time, KeyValueHeads, Size).transpose(1, 2).repeat_interleave(Heads / KeyValueHeads, 1);
            var scores = q.matmul(k.transpose(-2, -1)) / Math.Sqrt(Size);
            scores = scores.masked_fill(ones(time, time, ScalarType.Bool).tril().logical_not(), float.NegativeInfinity);
            x = x + _o.forward(scores.softmax(-1).matmul(v).transpose(1, 2).reshape(batch, time, Heads * Size));
            n = Normalised(x);
            return x + _down.forward(functional.silu(_gate.forward(n)) * _up.forward(n));
        }

        private static Tensor Turned(Tensor x, Tensor cos, Tensor sin)
        {
            var (a, b) = (x[TensorIndex.Ellipsis, TensorIndex.Slice(0, Size / 2)], x[TensorIndex.Ellipsis, TensorIndex.Slice(Size / 2)]);
            return cat([(a * cos) - (b * sin), (b * cos) + (a * sin)], -1);
        }

        private Tensor Normalised(Tensor x) => x * rsqrt(x.pow(2).mean([-1], true) + 1e-5f) * _norm;
    }

    internal sealed class LstmLoop : Module<Tensor, Tensor>
    {
        private readonly Linear _input = Linear(6, 4 * 8);
        private readonly Linear _state = Linear(8, 4 * 8);
        private readonly Linear _head = Linear(8, 3);

        public LstmLoop()
            : base(nameof(LstmLoop)) => RegisterComponents();

        public override Tensor forward(Tensor sequence)
        {
            var (h, c) = (zeros(sequence.shape[0], 8), zeros(sequence.shape[0], 8));
            for (var t = 0; t < sequence.shape[1]; t++)
            {
                var gates = (_input.forward(sequence.select(1, t)) + _state.forward(h)).chunk(4, 1);
                c = (gates[1].sigmoid() * c) + (gates[0].sigmoid() * gates[2].tanh());
                h = gates[3].sigmoid() * c.tanh();
            }

            return _head.forward(h);
        }
    }

    internal sealed class ResNetBlock : Module<Tensor, Tensor>
    {
        private readonly Conv2d _first = Conv2d(4, 8, 3, stride: 2, padding: 1, bias: false);
        private readonly BatchNorm2d _firstNorm = BatchNorm2d(8);
        private readonly Conv2d _second = Conv2d(8, 8, 3, padding: 1, bias: false);
        private readonly GroupNorm _secondNorm = GroupNorm(2, 8);
        private readonly Module<Tensor, Tensor> _short = Sequential(Conv2d(4, 8, 1, stride: 2, bias: false), BatchNorm2d(8));
        private readonly Module<Tensor, Tensor> _pool = AdaptiveAvgPool2d(1);

        public ResNetBlock()
            : base(nameof(ResNetBlock)) => RegisterComponents();

        public override Tensor forward(Tensor x)
        {
            var y = _firstNorm.forward(_first.forward(x)).relu_();
            y = _secondNorm.forward(_second.forward(y));
            return _pool.forward((y + _short.forward(x)).relu()).flatten(1);
        }
    }
}
