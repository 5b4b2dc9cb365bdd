using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>Self-attention: linears around <see cref="Ops.Attention"/>, in any of the shapes of <see cref="AttentionOptions"/>.</summary>
public sealed class AttentionBlock : nn.Module
{
    private readonly int _layer;
    private readonly AttentionOptions _options;
    private readonly Norm? _queryNorm;
    private readonly Norm? _keyNorm;

    /// <summary>The attention of layer number <paramref name="layer"/>, which names its part of a cache.</summary>
    public AttentionBlock(int layer, AttentionOptions options, BlockNames names, ScalarType dtype = ScalarType.Float32)
        : base(nameof(AttentionBlock))
    {
        (_layer, _options) = (layer, options);
        var (o, queries, keys) = (options, (long)options.Heads * options.HeadDimension, (long)options.KeyValueHeads * options.HeadDimension);
        Inputs = o.Layout == QueryKeyValueLayout.Separate
            ? [Make(names.Query, queries), Make(names.Key, keys), Make(names.Value, keys)]
            : [Make(names.QueryKeyValue, queries + (2 * keys))];
        Output = new Linear(queries, o.Width, o.OutputBias, dtype, o.Transposed);
        register_module(names.Output, Output);
        if (o.QueryKeyNorm != QueryKeyNorm.None)
        {
            var whole = o.QueryKeyNorm == QueryKeyNorm.Whole;
            _queryNorm = Norm.Create(o.NormKind, whole ? queries : o.HeadDimension, o.NormEpsilon, dtype);
            _keyNorm = Norm.Create(o.NormKind, whole ? keys : o.HeadDimension, o.NormEpsilon, dtype);
            register_module(names.QueryNorm, _queryNorm);
            register_module(names.KeyNorm, _keyNorm);
        }

        Linear Make(string name, long outputs)
        {
            var linear = new Linear(o.Width, outputs, o.Bias, dtype, o.Transposed);
            register_module(name, linear);
            return linear;
        }
    }

    /// <summary>Makes queries, keys and values: three linears, or one that holds them as <see cref="AttentionOptions.Layout"/> says.</summary>
    public IReadOnlyList<Linear> Inputs { get; }

    /// <summary>Writes to the residual stream.</summary>
    public Linear Output { get; }

    /// <summary>The shape.</summary>
    public AttentionOptions Options => _options;

    /// <summary>(B, T, width) to (B, T, width); with a cache, its positions come before these T.</summary>
    public Tensor Forward(Tensor x, AttentionContext context)
    {
        var (batch, time) = (x.shape[0], x.shape[1]);
        var (q, k, v) = Project(x, batch, time);
        if (_options.Rotary)
        {
            q = Ops.RotaryEmbedding.Apply(q, context.Cos!, context.Sin!);
            k = Ops.RotaryEmbedding.Apply(k, context.Cos!, context.Sin!);
        }

        if (context.Cache is { } cache)
        {
            (k, v) = context.Position is { } position ? cache.Put(_layer, k, v, position, context.Length) : cache.Append(_layer, k, v);
        }

        if (time == 1 && context.Position is null && _options.Window is { } window && k.shape[1] > window)
        {
            (k, v) = (k.narrow(1, k.shape[1] - window, window), v.narrow(1, v.shape[1] - window, window));
        }

        var mask = context.Mask(_options.Window, k.shape[1]);
        return Output.forward(Ops.Attention.Apply(q, k, v, mask, _options.Scale, _options.SoftCap).reshape(batch, time, -1));
    }

    /// <summary>Children have the names of the family: the constructor registers them.</summary>
    protected override void RegisterComponents()
    {
    }

    /// <summary>(B, T, H, D), (B, T, Hkv, D), (B, T, Hkv, D).</summary>
    private (Tensor Q, Tensor K, Tensor V) Project(Tensor x, long batch, long time)
    {
        var (heads, keyValueHeads, width) = (_options.Heads, _options.KeyValueHeads, _options.HeadDimension);
        Tensor q, k, v;
        switch (_options.Layout)
        {
            case QueryKeyValueLayout.Separate:
                (q, k, v) = (Inputs[0].forward(x), Inputs[1].forward(x), Inputs[2].forward(x));
                break;
            case QueryKeyValueLayout.Concatenated:
                var (queries, keys) = ((long)heads * width, (long)keyValueHeads * width);
                var all = Inputs[0].forward(x);
                (q, k, v) = (all.narrow(-1, 0, queries), all.narrow(-1, queries, keys), all.narrow(-1, queries + keys, keys));
                break;
            default:
                var group = heads / keyValueHeads;
                var groups = Inputs[0].forward(x).view(batch, time, keyValueHeads, group + 2, width);
                (q, k, v) = (groups.narrow(3, 0, group).reshape(batch, time, -1), groups.select(3, group), groups.select(3, group + 1));
                break;
        }

        if (_options.QueryKeyNorm == QueryKeyNorm.Whole)
        {
            (q, k) = (_queryNorm!.forward(q.reshape(batch, time, -1)), _keyNorm!.forward(k.reshape(batch, time, -1)));
        }

        (q, k, v) = (q.view(batch, time, heads, width), k.view(batch, time, keyValueHeads, width), v.view(batch, time, keyValueHeads, width));
        return _options.QueryKeyNorm == QueryKeyNorm.Head ? (_queryNorm!.forward(q), _keyNorm!.forward(k), v) : (q, k, v);
    }
}
