using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Toolkit.Tests.Graphs.Zoo;

/// <summary>Recurrent networks, native modules, and modules that return more than a tensor.</summary>
internal static class SequenceModules
{
    /// <summary>An LSTM written out, step by step.</summary>
    public sealed class LstmLoop : Module<Tensor, (Tensor Output, (Tensor H, Tensor C) State)>
    {
        private readonly Linear x2h;
        private readonly Linear h2h;
        private readonly int _hidden;

        public LstmLoop(int inputs, int hidden)
            : base(nameof(LstmLoop))
        {
            _hidden = hidden;
            x2h = Linear(inputs, 4 * hidden);
            h2h = Linear(hidden, 4 * hidden);
            RegisterComponents();
        }

        public override (Tensor Output, (Tensor H, Tensor C) State) forward(Tensor x)
        {
            var state = (H: zeros(x.shape[0], _hidden, dtype: x.dtype), C: zeros(x.shape[0], _hidden, dtype: x.dtype));
            var outputs = new List<Tensor>();
            for (var t = 0; t < x.shape[1]; t++)
            {
                state = Step(x[.., t], state);
                outputs.Add(state.H);
            }

            return (stack(outputs, 1), state);
        }

        private (Tensor H, Tensor C) Step(Tensor x, (Tensor H, Tensor C) state)
        {
            var gates = x2h.forward(x) + h2h.forward(state.H);
            var (i, f, g, o) = gates.chunk(4, 1) switch { [var a, var b, var c, var d] => (a.sigmoid(), b.sigmoid(), c.tanh(), d.sigmoid()), _ => throw new InvalidOperationException() };
            var cell = f * state.C + i * g;
            return (o * cell.tanh(), cell);
        }
    }

    /// <summary>libtorch's LSTM and GRU.</summary>
    public sealed class NativeRecurrence : Module<Tensor, Tensor>
    {
        private readonly LSTM lstm;
        private readonly GRU gru;
        private readonly Linear head;

        public NativeRecurrence(int inputs, int hidden)
            : base(nameof(NativeRecurrence))
        {
            lstm = LSTM(inputs, hidden, numLayers: 2, batchFirst: true);
            gru = GRU(hidden, hidden, batchFirst: true);
            head = Linear(hidden, 3);
            RegisterComponents();
        }

        public override Tensor forward(Tensor x)
        {
            var (y, _, _) = lstm.call(x);
            var (z, last) = gru.call(y);
            return head.forward(z[.., -1] + last[0]);
        }
    }

    /// <summary>libtorch's attention over a sequence.</summary>
    public sealed class NativeAttention : Module<Tensor, (Tensor, Tensor)>
    {
        private readonly MultiheadAttention attention;
        private readonly LayerNorm norm;

        public NativeAttention(int width, int heads)
            : base(nameof(NativeAttention))
        {
            attention = MultiheadAttention(width, heads);
            norm = LayerNorm(width);
            RegisterComponents();
        }

        public override (Tensor, Tensor) forward(Tensor x)
        {
            var sequence = x.transpose(0, 1);
            var (y, weights) = attention.call(sequence, sequence, sequence, null, true, null);
            return (norm.forward(y + sequence).transpose(0, 1), weights);
        }
    }

    /// <summary>One tower for two inputs.</summary>
    public sealed class Siamese : Module<Tensor, Tensor, (Tensor Distance, Tensor Similarity)>
    {
        private readonly Sequential tower;

        public Siamese(int width)
            : base(nameof(Siamese))
        {
            tower = Sequential(Linear(width, 16), Tanh(), Linear(16, 8));
            RegisterComponents();
        }

        public override (Tensor Distance, Tensor Similarity) forward(Tensor left, Tensor right)
        {
            var (a, b) = (tower.forward(left), tower.forward(right));
            return ((a - b).pow(2).sum(-1).sqrt(), functional.cosine_similarity(a, b, -1, 1e-8));
        }
    }

    /// <summary>What every layer makes.</summary>
    public sealed class Pyramid : Module<Tensor, List<Tensor>>
    {
        private readonly ModuleDict<Module<Tensor, Tensor>> stages = new();

        public Pyramid(int width)
            : base(nameof(Pyramid))
        {
            stages["narrow"] = Linear(width, width / 2);
            stages["act"] = Mish();
            stages["wide"] = Linear(width / 2, width);
            RegisterComponents();
        }

        public override List<Tensor> forward(Tensor x)
        {
            var results = new List<Tensor>();
            foreach (var (name, stage) in stages)
            {
                x = stage.forward(x);
                if (name is not "act")
                {
                    results.Add(x);
                }
            }

            results.Reverse();
            return results;
        }
    }
}
