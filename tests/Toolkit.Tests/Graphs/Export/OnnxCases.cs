using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Toolkit.Tests.Graphs.Export;

/// <summary>Uses of operators, each of which is written in ONNX's and run there.</summary>
internal static class OnnxCases
{
    private static readonly LSTM _lstm = nn.LSTM(3, 5), _two = nn.LSTM(3, 5, 2, bidirectional: true), _first = nn.LSTM(3, 5, 1, batchFirst: true);
    private static readonly GRU _gru = nn.GRU(3, 5), _gru2 = nn.GRU(3, 5, 2, bidirectional: true, bias: false);
    private static readonly RNN _rnn = nn.RNN(3, 5);
    private static readonly LSTMCell _cell = nn.LSTMCell(3, 5);
    private static readonly GRUCell _unit = nn.GRUCell(3, 5);
    private static readonly RNNCell _rnnCell = nn.RNNCell(3, 5);
    private static readonly MultiheadAttention _attention = nn.MultiheadAttention(8, 2);
    private static readonly TransformerEncoderLayer _encoder = nn.TransformerEncoderLayer(8, 2, 16, 0);
    private static readonly TransformerDecoderLayer _decoder = nn.TransformerDecoderLayer(8, 2, 16, 0);
    private static readonly Bilinear _bilinear = nn.Bilinear(8, 8, 3);

    /// <summary>What is given, and what is computed of it.</summary>
    public static readonly Dictionary<string, (Func<Tensor> Input, Func<Tensor, Tensor[]> Body)> All = new()
    {
        ["flip"] = (() => randn(2, 3, 4), x =>
        [
            x.flip(1), x.flip(0, 2), fliplr(x),
        ]),
        ["roll"] = (() => randn(2, 3, 4), x =>
        [
            x.roll(1, 0), x.roll([2, -1], [1, 2]), x.roll(5, 1), x.roll(0, 1),
        ]),
        ["rot90"] = (() => randn(2, 3, 4), x =>
        [
            rot90(x),
        ]),
        ["sort"] = (() => randn(3, 5), x =>
        [
            x.sort(1, true).Values, x.sort(0).Indices, x.argsort(1), msort(x),
        ]),
        ["topk"] = (() => randn(3, 5), x =>
        [
            x.topk(2, 1).values, x.topk(2, 0).indexes, x.topk(1, 1, false).values,
        ]),
        ["cumulative"] = (() => rand(3, 5) + 0.5, x =>
        [
            x.cumsum(1), x.cumprod(1), x.cumprod(0), (x - 1).cumprod(1),
        ]),
        ["cummax"] = (() => randn(3, 5), x =>
        [
            x.cummax(1).values,
        ]),
        ["logcumsumexp"] = (() => randn(3, 5), x =>
        [
            x.logcumsumexp(1),
        ]),
        ["arithmetic"] = (() => rand(3, 5) + 0.5, x =>
        [
            x.addcmul(x, x, 2.0), x.addcdiv(x, x, 2.0), x.lerp(x * 2, x), x.lerp(x * 2, tensor(0.3f)), x.trunc(), x.frac(), x.hypot(x), x.round(1), (x - 1).atan2(x - 0.8),
            x.copysign(-x), x.heaviside(x), x.xlogy(x), x.logaddexp(x * 2), x.logaddexp2(x * 2), x.atan2(x - 1), x.deg2rad(), x.rad2deg(), x.sgn(), x.float_power(2.0),
        ]),
        ["rounding"] = (() => randn(3, 5) * 5, x =>
        [
            x.div(2.0, RoundingMode.trunc), x.div(2.0, RoundingMode.floor), x.remainder(2.0), x.fmod(2.0), x.round(), x.nan_to_num(), x.positive(), x.sign(), x.signbit(), x.fix(),
        ]),
        ["integers"] = (() => randint(-9, 9, [3, 5]), x =>
        [
            x.div(2, RoundingMode.trunc), x.div(2, RoundingMode.floor), x.remainder(4), x.bitwise_and(tensor(3L)), x.bitwise_or(tensor(3L)), x.bitwise_xor(tensor(3L)), x.abs(), x.sign(),
            x.bitwise_left_shift(tensor(1L)), x % 3, x.abs().sum(ScalarType.Byte).to(int64), x.to(int16).sum(1, type: ScalarType.Int16).to(int64),
        ]),
        ["inverse functions"] = (() => rand(3, 5) * 0.8 + 0.1, x =>
        [
            x.asinh(), (x + 1).acosh(), x.atanh(), x.logit(), x.erf(), x.erfc(), x.sinc(), special.entr(x), special.xlog1py(x, x),
        ]),
        ["special functions"] = (() => cat([randn(2, 9) * 6, tensor(new[] { 0f, -1f, -3f, 1f, 2f, 0.5f, 1e-3f, 40f, float.PositiveInfinity }).unsqueeze(0)]), x =>
        [
            x.lgamma(), x.digamma(), x.@double().lgamma(), x.@double().digamma(), (x * 0.1).tanh().erfinv(), x.clamp(-1, 1).erfinv(), (x * 1e-3).erfinv(),
        ]),
        ["places in memory"] = (() => randn(3, 4), x =>
        [
            x.as_strided([2, 3], [4, 1]), x.as_strided([3, 3], [1, 1]), x.as_strided([2, 2], [4, 2], 1), x.masked_scatter(x.gt(0), x.flatten() * 2), x.masked_scatter(x[0].gt(0), -x),
            x.renorm(2, 0, 1.5f), x.renorm(1, 1, 2f),
        ]),
        ["tests"] = (() => randn(3, 5), x =>
        [
            x.isfinite(), x.isnan(), x.signbit(), x.isposinf(), x.isneginf(), isclose(x, x), x.eq(x), x.logical_not(), x.any(1), x.all(0), x.gt(0).any(), x.count_nonzero(),
        ]),
        ["activations"] = (() => randn(3, 6) * 2, x =>
        [
            elu(x, 0.7, false), selu(x), celu(x, 0.7, false), hardshrink(x), softshrink(x), softsign(x), tanhshrink(x), threshold(x, 0.2, 0.5, false), relu6(x), logsigmoid(x),
            hardsigmoid(x), hardswish(x), mish(x), hardtanh(x), glu(x, 1), softplus(x), silu(x), gelu(x), leaky_relu(x, 0.1), prelu(x, tensor(0.25f)), softmin(x, 1),
        ]),
        ["reductions"] = (() => randn(3, 5), x =>
        [
            x.var(1), x.std(1), x.norm(), x.norm(1, false, 1), x.norm(1, false, 3), x.norm(1, true, float.PositiveInfinity), x.logsumexp(1, false), x.amax([1L]), x.prod(1), x.nansum(),
            x.sum(1, true), x.mean([0L]), x.argmax(1), x.argmin(), x.max(1).values, x.min(0).indexes, normalize(x, 2, 1, 1e-12), cosine_similarity(x, x * 2, 1, 1e-8),
        ]),
        ["distances"] = (() => randn(3, 5), x =>
        [
            cdist(x, x + 1), pairwise_distance(x, x + 1), dist(x, x + 1),
        ]),
        ["scatter"] = (() => randn(3, 4), x =>
        {
            var i = tensor(new long[] { 2, 0, 1 }).view(3, 1);
            return
            [
                x.scatter(1, i, x * 2), x.scatter_add(1, i, x), x.scatter(1, i, tensor(2f).expand(3, 1)), x.index_add(0, tensor(new long[] { 2, 0 }), x[..2], 1.5),
                x.index_copy(0, tensor(new long[] { 2, 0 }), x[..2]), x.index_fill(0, tensor(new long[] { 2, 0 }), 1.5), x.gather(1, i), x.index_select(1, tensor(new long[] { 1, 3 })),
                x.take(tensor(new long[] { 1, 3 })), x.take_along_dim(i, 1),
            ];
        }
        ),
        ["index"] = (() => randn(3, 4, 5), x =>
        {
            var i = TensorIndex.Tensor(tensor(new long[] { 2, 0 }));
            var y = x.clone();
            y[i, TensorIndex.Colon, i] = 3f;
            var z = x.clone();
            z[TensorIndex.Colon, i] = x[TensorIndex.Colon, TensorIndex.Slice(0, 2)];
            var w = x.clone();
            w[TensorIndex.Colon, 1] += 1;
            var v = x.clone();
            v[TensorIndex.Ellipsis, TensorIndex.Slice(0, null, 2)] = 0f;
            return
            [
                x[i], x[TensorIndex.Colon, i], x[i, i], x[TensorIndex.Colon, i, TensorIndex.Tensor(tensor(new long[] { 1, 2 }))], x[i, TensorIndex.Colon, i], y, z, w, v,
                x[TensorIndex.Ellipsis, 1], x[i, TensorIndex.Slice(1, 3)],
            ];
        }
        ),
        ["masks"] = (() => randn(3, 4), x =>
        {
            var y = x.clone();
            y[x.gt(0)] = 0f;
            return
            [
                where(x.gt(0), x, -x), x.masked_fill(x.gt(0), 1.0), x.clamp(-0.5, 0.5), x.clamp_min(0), x.clamp(x - 1, x + 1), x.maximum(-x), x.fmax(-x), x.fmin(-x), y,
            ];
        }
        ),
        ["views"] = (() => randn(2, 3, 6), x =>
        [
            x.diagonal(0, 1, 2), x.unfold(2, 3, 2), x.swapaxes(0, 1), x.unflatten(2, 2, 3), x.squeeze(), x.mT, x.movedim([0, 1], [1, 2]), x.tile([2, 1, 1]), x.repeat_interleave(2, 1),
            x.repeat_interleave(2), x.expand(2, 3, 6), x.broadcast_to(2, 2, 3, 6), x.view_as(x), x.ravel(), x.T, x.narrow(2, 1, 2), x.unbind(1)[0], x.chunk(2, 2)[1], x.tril(1),
            x.triu(-1),
        ]),
        ["joins"] = (() => randn(2, 3), x =>
        [
            stack([x, x], 1), cat([x, x], 1), hstack(x, x), vstack([x, x]), dstack(x, x), column_stack(x, x), block_diag(x, x), meshgrid([x[0], x[1]]).First(),
            cartesian_prod(x[0], x[1]), diag(x[0]), x.diag_embed(), diag_embed(x, -1), diag_embed(x, 1, 0, 2), diagflat(x[0]), one_hot(x.argmax(1), 3), eye(3).mm(x.t()),
            bucketize(x, tensor(new[] { -1f, 0f, 1f })), x.tril().trace(),
        ]),
        ["products"] = (() => randn(2, 3, 3), x =>
        [
            einsum("bij,bjk->bik", x, x), x.matmul(x), baddbmm(x, x, x), addmm(x[0], x[0], x[1], 0.5f, 2f), addmv(x[0][0], x[0], x[1][0], 0.5f, 2f), addbmm(x[0], x, x), kron(x[0], x[1]),
            tensordot(x, x, [2L], [1L]), x[0].Outer(x), inner(x[0], x[1]), chain_matmul(x[0], x[1]), linalg.multi_dot([x[0], x[1]]), x[0].matrix_power(3), Mixed(x, x),
        ]),
        ["attention"] = (() => randn(2, 2, 5, 4), x =>
        [
            scaled_dot_product_attention(x, x, x), scaled_dot_product_attention(x, x, x, is_casual: true), scaled_dot_product_attention(x, x, x, x.matmul(x.transpose(-1, -2))),
        ]),
        ["norms"] = (() => randn(2, 4, 5, 5), x =>
        [
            layer_norm(x, [5, 5]), group_norm(x, 2), instance_norm(x), local_response_norm(x, 3), normalize(x),
        ]),
        ["pads"] = (() => randn(2, 3, 5, 6), x =>
        [
            pad(x, [1, 2]), pad(x, [1, 2, 2, 1], PaddingModes.Reflect), pad(x, [1, 2, 0, 3], PaddingModes.Replicate), pad(x, [1, 2, 2, 1], PaddingModes.Circular),
            pad(x[0], [2, 1], PaddingModes.Reflect), pad(x, [-1, 2]),
        ]),
        ["pools"] = (() => randn(2, 3, 8, 8), x =>
        [
            max_pool2d(x, 2), avg_pool2d(x, 2), avg_pool2d(x, 3, 2, 1, false, false), adaptive_avg_pool2d(x, 3), adaptive_max_pool2d(x, [2L, 2L]), lp_pool2d(x, 2, 2),
            max_pool2d_with_indices(x, [2L, 2L]).output, avg_pool1d(x[0], 2), max_pool1d(x[0], 2), adaptive_avg_pool1d(x[0], 2), adaptive_max_pool1d(x[0], 3),
            max_pool3d(x, [1L, 2L, 2L]), avg_pool3d(x, [1L, 2L, 2L]), avg_pool2d(x, 2, divisor_override: 3), adaptive_avg_pool3d(x, [1L, 2L, 2L]),
        ]),
        ["convolutions"] = (() => randn(2, 3, 8, 8), x =>
        [
            conv2d(x, ones(4, 3, 3, 3), padding: [1, 1]), conv_transpose2d(x, ones([3L, 2, 3, 3]), null, [2, 2], [1, 1], [1, 1]), conv1d(x[0], ones([4L, 8, 3])),
            conv_transpose1d(x[0], ones([8L, 2, 3])), conv3d(x.unsqueeze(1), ones([2L, 1, 2, 2, 2])), conv_transpose3d(x.unsqueeze(1), ones([1L, 2, 2, 2, 2])), unfold(x, 2),
            fold(unfold(x, 2), 8, 2), conv2d(x, ones(6, 1, 3, 3), groups: 3, dilation: [2, 2]),
        ]),
        ["shuffles"] = (() => randn(2, 4, 4, 4), x =>
        [
            pixel_shuffle(x, 2), pixel_unshuffle(x, 2),
        ]),
        ["resizes"] = (() => randn(2, 3, 4, 4), x =>
        [
            interpolate(x, [8, 8]), interpolate(x, scale_factor: [2.0, 2.0]), interpolate(x, [7, 6], mode: InterpolationMode.Bilinear),
            interpolate(x, [7, 6], mode: InterpolationMode.Bilinear, align_corners: true), interpolate(x, [8, 8], mode: InterpolationMode.Bicubic),
            interpolate(x[0], [8], mode: InterpolationMode.Linear), interpolate(x[0], [9]), interpolate(x, [2, 3], mode: InterpolationMode.Area),
            interpolate(x.unsqueeze(1), [2, 8, 8], mode: InterpolationMode.Trilinear), upsample_nearest2d(x, [5, 7]), upsample_nearest1d(x[0], 7, null),
        ]),
        ["grid"] = (() => randn(2, 3, 4, 4), x =>
        [
            grid_sample(x, x[.., ..2].permute(0, 2, 3, 1)), grid_sample(x, affine_grid(eye(2, 3).unsqueeze(0).expand(2, 2, 3), [2, 3, 4, 4]), align_corners: true),
        ]),
        ["losses"] = (() => randn(4, 5), x =>
        {
            var t = tensor(new long[] { 1, 0, -100, 4 });
            var p = x.sigmoid();
            return
            [
                cross_entropy(x, t), cross_entropy(x, t, reduction: nn.Reduction.Sum), cross_entropy(x, t, reduction: nn.Reduction.None), cross_entropy(x, t, label_smoothing: 0.1),
                cross_entropy(x, t, weight: arange(5).to(float32) + 1), cross_entropy(x, p), mse_loss(x, p), l1_loss(x, p), smooth_l1_loss(x, p), huber_loss(x, p, 0.5),
                binary_cross_entropy(p, p), binary_cross_entropy_with_logits(x, p, null, nn.Reduction.Sum), nll_loss(log_softmax(x, 1), t), kl_div(log_softmax(x, 1), p),
                poisson_nll_loss(x, p), hinge_embedding_loss(x, p.round() * 2 - 1, 1.0), soft_margin_loss(x, p.round() * 2 - 1), margin_ranking_loss(x, p, p.round() * 2 - 1),
                triplet_margin_loss(x, p, x + 1), cosine_embedding_loss(x, p, t.sign()), multilabel_soft_margin_loss(x, p.round()),
            ];
        }
        ),
        ["factories"] = (() => randn(2, 3), x =>
        [
            x + zeros_like(x), x + x.new_ones(3), x + full(3, 2.0), x * linspace(0, 1, 3), x + eye(2, 3), x + logspace(0, 1, 3), x + hann_window(3), arange(3) + x,
            x + tril_indices(2, 3, 0)[0].sum(), empty(0).numel() + x,
        ]),
        ["types"] = (() => randn(2, 3), x =>
        [
            x.to(float64), x.to(int64), x.@bool(), x.@double(), x.half().to(float32), x.bfloat16().to(float32), x.type_as(x), x.to(int32).to(float32), x.@byte().to(float32),
        ]),
        ["median"] = (() => randn(3, 5), x =>
        [
            x.median(), x.kthvalue(2, 1).values, x.kthvalue(2, 0).indices,
        ]),
        ["recurrent"] = (() => randn(4, 2, 3), x =>
        [
            _lstm.forward(x).Item1, _lstm.forward(x).Item3, _two.forward(x).Item1, _gru.forward(x).Item1, _gru2.forward(x).Item2, _rnn.forward(x, zeros(1, 2, 5)).Item1, _first.forward(x).Item1,
            _first.forward(x).Item2, _cell.forward(x[0], (zeros(2, 5), zeros(2, 5))).Item1, _unit.forward(x[0], zeros(2, 5)), _rnnCell.forward(x[0], zeros(2, 5)),
        ]),
        ["transformers"] = (() => randn(4, 2, 8), x =>
        [
            _attention.forward(x, x, x, null, true, null).Item1, _encoder.call(x, null, null), _decoder.call(x, x, null, null, null, null), _bilinear.forward(x, x),
        ]),
    };

    private static Tensor Outer(this Tensor a, Tensor x) => outer(a[0], x[1][0]);

    private static Tensor Mixed(Tensor x, Tensor y) => nn.functional.bilinear(x, y, ones(2, 3, 3));
}
