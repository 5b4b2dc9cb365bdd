using TorchSharp;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>Grouped-query self-attention with rotary positions: four linears around <see cref="Ops.Attention"/>.</summary>
public sealed class AttentionBlock : nn.Module
{
    [ComponentName(Name = "q_proj")]
    private readonly Linear _query;

    [ComponentName(Name = "k_proj")]
    private readonly Linear _key;

    [ComponentName(Name = "v_proj")]
    private readonly Linear _value;

    [ComponentName(Name = "o_proj")]
    private readonly Linear _output;

    private readonly int _layer;
    private readonly int _headDimension;

    /// <summary>The block of layer number <paramref name="layer"/>, which names its part of a cache.</summary>
    public AttentionBlock(int layer, int width, int heads, int keyValueHeads, int headDimension, bool bias = false, ScalarType dtype = ScalarType.Float32)
        : base(nameof(AttentionBlock))
    {
        _layer = layer;
        _headDimension = headDimension;
        _query = new Linear(width, heads * headDimension, bias, dtype);
        _key = new Linear(width, keyValueHeads * headDimension, bias, dtype);
        _value = new Linear(width, keyValueHeads * headDimension, bias, dtype);
        _output = new Linear(heads * headDimension, width, bias, dtype);
        RegisterComponents();
    }

    /// <summary>Makes the queries.</summary>
    public Linear Query => _query;

    /// <summary>Makes the keys.</summary>
    public Linear Key => _key;

    /// <summary>Makes the values.</summary>
    public Linear Value => _value;

    /// <summary>Writes to the residual stream.</summary>
    public Linear Output => _output;

    /// <summary>(B, T, width) to (B, T, width); with a cache, its positions come before these T.</summary>
    public Tensor Forward(Tensor x, Tensor cos, Tensor sin, KvCache? cache)
    {
        var (batch, time) = (x.shape[0], x.shape[1]);
        var q = Ops.RotaryEmbedding.Apply(_query.forward(x).view(batch, time, -1, _headDimension), cos, sin); // (B, T, H, D)
        var k = Ops.RotaryEmbedding.Apply(_key.forward(x).view(batch, time, -1, _headDimension), cos, sin); // (B, T, Hkv, D)
        var v = _value.forward(x).view(batch, time, -1, _headDimension); // (B, T, Hkv, D)
        if (cache is not null)
        {
            (k, v) = cache.Append(_layer, k, v);
        }

        return _output.forward(Ops.Attention.Causal(q, k, v).reshape(batch, time, -1));
    }
}
