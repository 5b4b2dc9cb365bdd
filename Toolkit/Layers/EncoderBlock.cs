using TorchSharp;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>
/// One layer of a BERT-like encoder (Devlin et al., 2018): attention in both directions, then a feed-forward, the norm of each behind the residual sum.
/// </summary>
public sealed class EncoderBlock : nn.Module
{
    [ComponentName(Name = "attention")]
    private readonly AttentionHalf _attention;

    [ComponentName(Name = "intermediate")]
    private readonly Inner _inner;

    [ComponentName(Name = "output")]
    private readonly SumNorm _output;

    private readonly Ops.Activation _activation;

    /// <summary>A block whose matrices are not yet set to anything.</summary>
    public EncoderBlock(int width, int heads, int feedForwardWidth, Ops.Activation activation, double epsilon, ScalarType dtype = ScalarType.Float32)
        : base(nameof(EncoderBlock))
    {
        _attention = new AttentionHalf(width, heads, epsilon, dtype);
        _inner = new Inner(width, feedForwardWidth, dtype);
        _output = new SumNorm(feedForwardWidth, width, epsilon, dtype);
        _activation = activation;
        RegisterComponents();
    }

    /// <summary>(B, T, width) to (B, T, width).</summary>
    /// <param name="x">The hidden states.</param>
    /// <param name="tokens">(B, T) of bool: true for a token, false for padding; null where nothing is padded.</param>
    public Tensor Forward(Tensor x, Tensor? tokens)
    {
        x = _attention.Forward(x, tokens);
        return _output.Forward(Ops.ActivationFunction.Apply(_inner.Dense.forward(x), _activation), x);
    }

    private sealed class AttentionHalf : nn.Module
    {
        [ComponentName(Name = "self")]
        private readonly Projections _self;

        [ComponentName(Name = "output")]
        private readonly SumNorm _output;

        private readonly int _heads;

        public AttentionHalf(int width, int heads, double epsilon, ScalarType dtype)
            : base(nameof(AttentionHalf))
        {
            _self = new Projections(width, dtype);
            _output = new SumNorm(width, width, epsilon, dtype);
            _heads = heads;
            RegisterComponents();
        }

        public Tensor Forward(Tensor x, Tensor? tokens)
        {
            var (batch, time) = (x.shape[0], x.shape[1]);
            var q = _self.Query.forward(x).view(batch, time, _heads, -1); // (B, T, H, D)
            var k = _self.Key.forward(x).view(batch, time, _heads, -1);
            var v = _self.Value.forward(x).view(batch, time, _heads, -1);
            return _output.Forward(Ops.BidirectionalAttention.Apply(q, k, v, tokens).reshape(batch, time, -1), x);
        }
    }

    private sealed class Projections : nn.Module
    {
        [ComponentName(Name = "query")]
        public readonly Linear Query;

        [ComponentName(Name = "key")]
        public readonly Linear Key;

        [ComponentName(Name = "value")]
        public readonly Linear Value;

        public Projections(int width, ScalarType dtype)
            : base(nameof(Projections))
        {
            Query = new Linear(width, width, bias: true, dtype);
            Key = new Linear(width, width, bias: true, dtype);
            Value = new Linear(width, width, bias: true, dtype);
            RegisterComponents();
        }
    }

    private sealed class Inner : nn.Module
    {
        [ComponentName(Name = "dense")]
        public readonly Linear Dense;

        public Inner(int inputs, int outputs, ScalarType dtype)
            : base(nameof(Inner))
        {
            Dense = new Linear(inputs, outputs, bias: true, dtype);
            RegisterComponents();
        }
    }

    /// <summary>A linear whose result is added to the residual, and normed.</summary>
    private sealed class SumNorm : nn.Module
    {
        [ComponentName(Name = "dense")]
        private readonly Linear _dense;

        [ComponentName(Name = "LayerNorm")]
        private readonly LayerNormLayer _norm;

        public SumNorm(int inputs, int outputs, double epsilon, ScalarType dtype)
            : base(nameof(SumNorm))
        {
            _dense = new Linear(inputs, outputs, bias: true, dtype);
            _norm = new LayerNormLayer(outputs, epsilon, dtype);
            RegisterComponents();
        }

        public Tensor Forward(Tensor x, Tensor residual) => _norm.forward(residual.add(_dense.forward(x), Ops.Scalars.One));
    }
}
