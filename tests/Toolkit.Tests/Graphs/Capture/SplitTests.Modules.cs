using Toolkit.Graphs;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Capture;

/// <content>Modules whose calls are split.</content>
public sealed partial class SplitTests
{
    private sealed class Flat : nn.Module<Tensor, Tensor>
    {
        private readonly nn.Module<Tensor, Tensor> _first = nn.Linear(8, 8);
        private readonly nn.Module<Tensor, Tensor> _a = nn.Linear(8, 4);
        private readonly nn.Module<Tensor, Tensor> _b = nn.Linear(8, 4);

        public Flat()
            : base("flat") => RegisterComponents();

        public override Tensor forward(Tensor x)
        {
            var h = nn.functional.gelu(_first.call(x)) + x;
            if (x.mean().item<float>() > 0)
            {
                return _a.call(h).tanh();
            }

            return _b.call(h).sigmoid();
        }
    }

    private sealed class EarlyExit : nn.Module<Tensor, Tensor>
    {
        private readonly TorchSharp.Modules.ModuleList<nn.Module<Tensor, Tensor>> _layers = new([.. Enumerable.Range(0, 5).Select(_ => nn.Linear(8, 8))]);
        private readonly nn.Module<Tensor, Tensor> _head = nn.Linear(8, 2);
        private readonly bool _each;

        public EarlyExit(bool each)
            : base("exit")
        {
            _each = each;
            RegisterComponents();
        }

        public override Tensor forward(Tensor x)
        {
            if (_each)
            {
                foreach (var layer in _layers)
                {
                    x = layer.call(x).tanh() + x;
                    if (x.abs().max().ToSingle() > 30)
                    {
                        break;
                    }
                }
            }
            else
            {
                for (var i = 0; i < _layers.Count; i++)
                {
                    x = _layers[i].call(x).tanh() + x;
                    if (x.abs().max().ToSingle() > 30)
                    {
                        break;
                    }
                }
            }

            return _head.call(x);
        }
    }

    private sealed class Helper : nn.Module<Tensor, Tensor>
    {
        private readonly nn.Module<Tensor, Tensor> _a = nn.Linear(8, 8);

        public Helper()
            : base("helper") => RegisterComponents();

        public override Tensor forward(Tensor x)
        {
            var (h, isHigh) = Choose(_a.call(x).relu(), x);
            var scaled = h * 2f;
            if ((scaled.sum() > 100f).item<bool>() && !isHigh)
            {
                scaled = scaled - 1f;
            }

            return scaled.exp().log();
        }

        private (Tensor Value, bool IsHigh) Choose(Tensor h, Tensor x)
        {
            var m = x.mean();
            return m.ToSingle() > 0 ? (h.sin() + 1f, true) : (x.square(), false);
        }
    }

    private sealed class Cleaning() : nn.Module<Tensor, Tensor>("cleaning")
    {
        public bool Throws { get; init; }

        public string State { get; private set; } = "closed";

        public override Tensor forward(Tensor x)
        {
            var h = x * 3f;
            try
            {
                State = "open";
                h = h.tanh();
                if (h.sum().item<float>() < 0)
                {
                    throw new InvalidOperationException("negative");
                }

                h = h + 1f;
            }
            catch (InvalidOperationException) when (!Throws)
            {
                return x;
            }
            finally
            {
                State = "closed";
            }

            return h.exp();
        }
    }

    private sealed class Scaled() : nn.Module<Tensor, Tensor>("scaled")
    {
        public override Tensor forward(Tensor x)
        {
            var s = x.mean().item<float>();
            var y = x * s;
            return y.tanh().exp() + 1f;
        }
    }

    private sealed class Collecting() : nn.Module<Tensor, Tensor>("collecting")
    {
        public override Tensor forward(Tensor x)
        {
            var parts = new List<Tensor>();
            var pair = (First: x.sin(), Second: x.cos());
            Func<Tensor, Tensor> shift = t => t + pair.First;
            for (var i = 0; i < 2; i++)
            {
                parts.Add(shift(x * (i + 1)));
                if (parts[i].sum().item<float>() > 0)
                {
                    parts.Add(pair.Second);
                }
            }

            var (a, b) = (parts[0], parts[^1]);
            return cat([.. parts], 0).sum(0) + (a * b).sum(0);
        }
    }

    private sealed class Printing() : nn.Module<Tensor, Tensor>("printing")
    {
        public override Tensor forward(Tensor x)
        {
            var h = x.sin();
            Console.WriteLine($"mean {h.mean().item<float>():F3}");
            return h.exp() + x;
        }
    }

    private sealed class Views() : nn.Module<Tensor, Tensor>("views")
    {
        public override Tensor forward(Tensor x)
        {
            var h = x * 2f;
            var view = h.view(-1);
            if (h.sum().item<float>() > 0)
            {
                view.add_(1f);
            }

            return h.exp();
        }
    }

    private sealed class Counting : nn.Module<Tensor, Tensor>
    {
        public Counting()
            : base("counting")
        {
            Total = zeros(8);
            register_buffer("total", Total);
        }

        public Tensor Total { get; }

        public Tensor? Last { get; private set; }

        public override Tensor forward(Tensor x)
        {
            Total.add_(x.sum(0));
            Last = (x + 1f).DetachFromDisposeScope();
            if (Total.sum().item<float>() > 0)
            {
                Total.mul_(0.5f);
                return x + Total;
            }

            return x;
        }
    }
}
