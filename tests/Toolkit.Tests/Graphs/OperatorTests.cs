using System.Text.RegularExpressions;
using Toolkit.Graphs;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs;

/// <summary>What an operator says that it makes is what libtorch makes.</summary>
public sealed partial class OperatorTests
{
    private static readonly ScalarType[] _types = [ScalarType.Float32, ScalarType.Float32, ScalarType.Float64, ScalarType.BFloat16, ScalarType.Float16, ScalarType.Int64, ScalarType.Int32, ScalarType.Byte, ScalarType.Bool];

    /// <summary>A tensor is its type (with a bound for integers), null an argument that is not given, a quoted text a text.</summary>
    private static readonly Dictionary<string, object?[][]> _samples = new()
    {
        ["aten::masked_fill.Tensor"] = [["f32[2, 3]", "bool[3]", "f32[]"], ["i64[2, 3]", "bool[2, 1]", "i64[]"]],
        ["aten::masked_fill.Scalar"] = [["f32[2, 3]", "bool[3]", 1.5], ["i64[2, 3]", "bool[2, 1]", 2L]],
        ["aten::where.self"] = [["bool[2, 3]", "f32[3]", "f64[]"], ["bool[2, 1]", "f32[3]", "bf16[2, 3]"], ["bool[1]", "i64[]", "i32[3]"]],
        ["aten::where.ScalarSelf"] = [["bool[2, 3]", 1.0, "i64[3]"], ["bool[2, 3]", 1L, "bf16[3]"]],
        ["aten::where.ScalarOther"] = [["bool[2, 3]", "f16[3]", 1.0], ["bool[2, 3]", "bool[3]", 2L]],
        ["aten::where.Scalar"] = [["bool[2, 3]", 1L, 2L], ["bool[]", 1.5, 2L]],
        ["aten::copy"] = [["f32[2, 3]", "f64[3]"], ["i64[2, 3]", "i64[1, 3]"]],
        ["aten::div.Tensor_mode"] = [["f32[2, 3]", "i64[3]", "'floor"], ["i64[2, 3]", "i32[]", null], ["bf16[2, 3]", "f32[3]", "'trunc"]],
        ["aten::div.Scalar_mode"] = [["f32[2, 3]", 2L, "'floor"], ["i64[3]", 2L, "'trunc"], ["i64[3]", 2.5, "'trunc"]],
        ["aten::gelu"] = [["f32[2, 3]", "'none"], ["bf16[4]", "'tanh"]],
        ["aten::gelu_backward"] = [["f32[2, 3]", "f32[2, 3]", "'none"], ["bf16[4]", "bf16[4]", "'tanh"]],
        ["aten::prod.dim_int"] = [["f32[2, 3]", 1L], ["i32[2, 3]", -2L, true], ["f32[4]", 0L, false, ScalarType.Float64]],
        ["aten::any.dim"] = [["bool[2, 3]", 1L], ["u8[2, 3]", -2L, true]],
        ["aten::all.dim"] = [["bool[2, 3]", 1L], ["f32[2, 3]", -2L, true]],
        ["aten::logsumexp"] = [["f32[2, 3]", new long[] { 1 }], ["f64[2, 3, 4]", new long[] { 0, -1 }, true]],
        ["aten::max.dim"] = [["f32[2, 3]", 1L], ["i64[2, 3]", -2L, true]],
        ["aten::min.dim"] = [["f32[2, 3]", 1L], ["i64[2, 3]", -2L, true]],
        ["aten::argmax"] = [["f32[2, 3]", null], ["f32[2, 3]", 1L], ["i64[2, 3]", -2L, true], ["f32[2, 3]", null, true]],
        ["aten::argmin"] = [["f32[2, 3]", null], ["f32[2, 3]", 1L], ["i64[2, 3]", -2L, true]],
        ["aten::topk"] = [["f32[2, 7]", 3L], ["f32[4, 3]", 2L, 0L, false]],
        ["aten::sort"] = [["f32[2, 7]"], ["i64[4, 3]", 0L, true]],
        ["aten::sort.stable"] = [["f32[2, 7]", true], ["i64[4, 3]", null, 0L, true]],
        ["aten::cumsum"] = [["f32[2, 7]", 1L], ["bool[4, 3]", 0L], ["i32[4]", 0L, ScalarType.Float32]],
        ["aten::cumprod"] = [["f32[2, 7]", 1L], ["i32[4, 3]", 0L]],
        ["aten::_softmax"] = [["f32[2, 7]", 1L, false], ["bf16[2, 7]", -2L, false]],
        ["aten::_log_softmax"] = [["f32[2, 7]", 1L, false], ["bf16[2, 7]", -2L, false]],
        ["aten::softmax.int"] = [["f32[2, 7]", 1L], ["bf16[2, 7]", -2L, ScalarType.Float32]],
        ["aten::log_softmax.int"] = [["f32[2, 7]", 1L], ["bf16[2, 7]", -2L, ScalarType.Float32]],
        ["aten::_softmax_backward_data"] = [["f32[2, 7]", "f32[2, 7]", 1L, ScalarType.Float32]],
        ["aten::_log_softmax_backward_data"] = [["f32[2, 7]", "f32[2, 7]", 1L, ScalarType.Float32]],
        ["aten::view"] = [["f32[2, 6]", new long[] { 3, -1 }], ["f32[2, 6]", new long[] { 12 }], ["f32[1]", Array.Empty<long>()]],
        ["aten::reshape"] = [["f32[2, 6]", new long[] { 3, -1 }], ["f32[]", new long[] { 1, 1 }]],
        ["aten::_unsafe_view"] = [["f32[2, 6]", new long[] { 3, 2, 2 }]],
        ["aten::flatten.using_ints"] = [["f32[2, 3, 4]"], ["f32[2, 3, 4]", 1L], ["f32[2, 3, 4]", 0L, -2L], ["f32[]"]],
        ["aten::unsqueeze"] = [["f32[2, 3]", 0L], ["f32[2, 3]", -1L], ["f32[]", 0L]],
        ["aten::squeeze"] = [["f32[1, 3, 1]"], ["f32[2]"]],
        ["aten::squeeze.dim"] = [["f32[1, 3, 1]", 0L], ["f32[1, 3, 1]", 1L], ["f32[1, 3, 1]", -1L]],
        ["aten::squeeze.dims"] = [["f32[1, 3, 1]", new long[] { 0, -1 }], ["f32[1, 3, 1]", new long[] { 1, 2 }]],
        ["aten::expand"] = [["f32[3, 1]", new long[] { 2, -1, 4 }], ["f32[]", new long[] { 2, 2 }]],
        ["aten::permute"] = [["f32[2, 3, 4]", new long[] { 2, 0, 1 }], ["f32[2, 3, 4]", new long[] { -1, 0, 1 }]],
        ["aten::transpose.int"] = [["f32[2, 3, 4]", 0L, -1L], ["f32[2, 3]", 0L, 0L]],
        ["aten::movedim.int"] = [["f32[2, 3, 4]", 0L, -1L], ["f32[2, 3, 4]", 2L, 0L]],
        ["aten::t"] = [["f32[2, 3]"], ["f32[3]"], ["f32[]"]],
        ["aten::slice.Tensor"] = [["f32[9, 3]", 0L, 2L, 8L, 2L], ["f32[9, 3]", 1L, null, null], ["f32[9]", 0L, -3L, 100L], ["f32[9]", 0L, 5L, 2L], ["f32[9]", 0L, 0L, -1L, 3L]],
        ["aten::narrow"] = [["f32[9, 3]", 0L, 2L, 5L], ["f32[9, 3]", -1L, -2L, 2L]],
        ["aten::select.int"] = [["f32[9, 3]", 0L, 2L], ["f32[9, 3]", -1L, -1L]],
        ["aten::diagonal"] = [["f32[4, 5]"], ["f32[4, 5, 6]", 1L, 0L, 2L], ["f32[4, 5]", -2L], ["f32[2, 5]", -4L]],
        ["aten::unfold"] = [["f32[9]", 0L, 3L, 2L], ["f32[2, 9]", 1L, 4L, 4L]],
        ["aten::as_strided"] = [["f32[3, 4]", new long[] { 2, 2 }, new long[] { 4, 1 }, 1L]],
        ["aten::split.Tensor"] = [["f32[7, 2]", 3L], ["f32[2, 6]", 2L, 1L]],
        ["aten::split_with_sizes"] = [["f32[7, 2]", new long[] { 3, 4 }], ["f32[2, 6]", new long[] { 1, 0, 5 }, -1L]],
        ["aten::split.sizes"] = [["f32[7, 2]", new long[] { 3, 4 }]],
        ["aten::chunk"] = [["f32[7, 2]", 3L], ["f32[7, 2]", 4L], ["f32[2, 6]", 4L, 1L], ["f32[1, 6]", 4L]],
        ["aten::unbind.int"] = [["f32[3, 2]"], ["f32[3, 2]", 1L]],
        ["aten::_to_copy"] = [["f32[3]", ScalarType.BFloat16], ["i64[3]"], ["f32[3]", ScalarType.Bool]],
        ["aten::to.dtype"] = [["f32[3]", ScalarType.BFloat16], ["f32[3]", ScalarType.Float32], ["f32[3]", ScalarType.Float32, false, true]],
        ["aten::to.device"] = [["f32[3]", "@cpu", ScalarType.Float64]],
        ["aten::mm"] = [["f32[2, 3]", "f32[3, 4]"], ["i64[2, 3]", "i64[3, 4]"], ["bf16[2, 0]", "bf16[0, 4]"]],
        ["aten::bmm"] = [["f32[5, 2, 3]", "f32[5, 3, 4]"]],
        ["aten::mv"] = [["f32[2, 3]", "f32[3]"]],
        ["aten::dot"] = [["f32[3]", "f32[3]"]],
        ["aten::outer"] = [["f32[3]", "f32[2]"]],
        ["aten::addmm"] = [["f32[4]", "f32[2, 3]", "f32[3, 4]"], ["f32[2, 1]", "f32[2, 3]", "f32[3, 4]", 0.5, 2L]],
        ["aten::addmm_"] = [["f32[2, 4]", "f32[2, 3]", "f32[3, 4]"]],
        ["aten::baddbmm"] = [["f32[2, 4]", "f32[5, 2, 3]", "f32[5, 3, 4]"], ["f32[1]", "f32[5, 2, 3]", "f32[5, 3, 4]", 0.5, 2L]],
        ["aten::baddbmm_"] = [["f32[5, 2, 4]", "f32[5, 2, 3]", "f32[5, 3, 4]"]],
        ["aten::addmv"] = [["f32[2]", "f32[2, 3]", "f32[3]"]],
        ["aten::addmv_"] = [["f32[2]", "f32[2, 3]", "f32[3]"]],
        ["aten::matmul"] = [["f32[3]", "f32[3]"], ["f32[2, 3]", "f32[3]"], ["f32[3]", "f32[3, 2]"], ["f32[5, 2, 3]", "f32[3, 4]"], ["f32[5, 1, 2, 3]", "f32[6, 3, 4]"], ["f32[5, 2, 3]", "f32[3]"], ["f32[3]", "f32[5, 3, 4]"]],
        ["aten::linear"] = [["f32[2, 3]", "f32[4, 3]", "f32[4]"], ["bf16[5, 2, 3]", "bf16[4, 3]"], ["f32[3]", "f32[4, 3]"], ["f32[2, 3]", "f32[3]"]],
        ["aten::einsum"] = [["'bij,bjk->bik", new[] { "f32[2, 3, 4]", "f32[2, 4, 5]" }], ["'ij,jk", new[] { "f32[3, 4]", "f32[4, 5]" }], ["'ij->ji", new[] { "f32[3, 4]" }]],
        ["aten::layer_norm"] = [["f32[2, 3, 4]", new long[] { 4 }, "f32[4]", "f32[4]"], ["bf16[2, 3, 4]", new long[] { 3, 4 }]],
        ["aten::native_layer_norm"] = [["f32[2, 3, 4]", new long[] { 4 }, "f32[4]", "f32[4]", 1e-5], ["bf16[2, 3, 4]", new long[] { 3, 4 }, null, null, 1e-5]],
        ["aten::native_layer_norm_backward"] = [["f32[2, 4]", "f32[2, 4]", new long[] { 4 }, "f32[2, 1]", "f32[2, 1]", "f32[4]", "f32[4]", new long[] { 1, 1, 1 }], ["f32[2, 4]", "f32[2, 4]", new long[] { 4 }, "f32[2, 1]", "f32[2, 1]", "f32[4]", null, new long[] { 1, 0, 0 }]],
        ["aten::rms_norm"] = [["f32[2, 3, 4]", new long[] { 4 }, "f32[4]", 1e-5], ["bf16[2, 4]", new long[] { 4 }]],
        ["aten::_fused_rms_norm"] = [["f32[2, 3, 4]", new long[] { 4 }, "f32[4]", 1e-5]],
        ["aten::batch_norm"] = [["f32[2, 3, 4, 4]", "f32[3]", "f32[3]", "f32[3]", "f32[3]", false, 0.1, 1e-5, true], ["f32[2, 3]", null, null, null, null, true, 0.1, 1e-5, true]],
        ["aten::native_batch_norm"] = [["f32[2, 3, 4, 4]", "f32[3]", "f32[3]", "f32[3]", "f32[3]", false, 0.1, 1e-5], ["f32[2, 3]", null, null, null, null, true, 0.1, 1e-5]],
        ["aten::_native_batch_norm_legit"] = [["f32[2, 3, 4, 4]", "f32[3]", "f32[3]", "f32[3]", "f32[3]", true, 0.1, 1e-5], ["f32[2, 3, 4, 4]", "f32[3]", "f32[3]", "f32[3]", "f32[3]", false, 0.1, 1e-5]],
        ["aten::_native_batch_norm_legit_functional"] = [["f32[2, 3, 4, 4]", "f32[3]", "f32[3]", "f32[3]", "f32[3]", true, 0.1, 1e-5], ["f32[2, 3, 4, 4]", "f32[3]", "f32[3]", "f32[3]", "f32[3]", false, 0.1, 1e-5]],
        ["aten::native_batch_norm_backward"] = [["f32[2, 3, 4, 4]", "f32[2, 3, 4, 4]", "f32[3]", "f32[3]", "f32[3]", "f32[3]", "f32[3]", true, 1e-5, new long[] { 1, 1, 1 }], ["f32[2, 3, 4]", "f32[2, 3, 4]", null, "f32[3]", "f32[3]", null, null, false, 1e-5, new long[] { 1, 0, 0 }]],
        ["aten::group_norm"] = [["f32[2, 6, 4]", 3L, "f32[6]", "f32[6]"], ["f32[2, 6]", 2L]],
        ["aten::native_group_norm"] = [["f32[2, 6, 4]", "f32[6]", "f32[6]", 2L, 6L, 4L, 3L, 1e-5]],
        ["aten::native_group_norm_backward"] = [["f32[2, 6, 4]", "f32[2, 6, 4]", "f32[2, 3]", "f32[2, 3]", "f32[6]", 2L, 6L, 4L, 3L, new long[] { 1, 1, 1 }]],
        ["aten::scaled_dot_product_attention"] = [["f32[2, 4, 5, 8]", "f32[2, 4, 5, 8]", "f32[2, 4, 5, 8]", null, 0.0, true], ["f32[2, 4, 5, 8]", "f32[2, 2, 7, 8]", "f32[2, 2, 7, 8]", "f32[5, 7]", 0.0, false, 0.3, true]],
        ["aten::_scaled_dot_product_flash_attention_for_cpu"] = [["f32[2, 4, 5, 8]", "f32[2, 4, 5, 8]", "f32[2, 4, 5, 8]", 0.0, true], ["bf16[2, 4, 5, 8]", "bf16[2, 4, 7, 8]", "bf16[2, 4, 7, 8]"]],
        ["aten::_scaled_dot_product_flash_attention_for_cpu_backward"] = [["f32[2, 4, 5, 8]", "f32[2, 4, 5, 8]", "f32[2, 4, 5, 8]", "f32[2, 4, 5, 8]", "f32[2, 4, 5, 8]", "f32[2, 4, 5]", 0.0, true]],
        ["aten::convolution"] = [["f32[2, 3, 9, 8]", "f32[4, 3, 3, 3]", "f32[4]", new long[] { 2, 1 }, new long[] { 1, 0 }, new long[] { 1, 2 }, false, new long[] { 0, 0 }, 1L], ["f32[2, 4, 5]", "f32[4, 3, 3]", null, new long[] { 2 }, new long[] { 1 }, new long[] { 1 }, true, new long[] { 1 }, 1L], ["f32[2, 4, 5, 5]", "f32[4, 2, 3, 3]", null, new long[] { 2, 2 }, new long[] { 1, 1 }, new long[] { 1, 1 }, true, new long[] { 1, 1 }, 2L]],
        ["aten::conv1d"] = [["f32[2, 4, 9]", "f32[6, 2, 3]", "f32[6]", 2L, 1L, 1L, 2L]],
        ["aten::conv2d"] = [["f32[2, 3, 9, 8]", "f32[4, 3, 3, 3]"], ["f32[3, 9, 8]", "f32[4, 3, 3, 3]", "f32[4]", new long[] { 2, 2 }]],
        ["aten::convolution_backward"] = [["f32[2, 4, 7, 6]", "f32[2, 3, 9, 8]", "f32[4, 3, 3, 3]", new long[] { 4 }, new long[] { 1, 1 }, new long[] { 0, 0 }, new long[] { 1, 1 }, false, new long[] { 0, 0 }, 1L, new long[] { 1, 1, 1 }], ["f32[2, 4, 7, 6]", "f32[2, 3, 9, 8]", "f32[4, 3, 3, 3]", null, new long[] { 1, 1 }, new long[] { 0, 0 }, new long[] { 1, 1 }, false, new long[] { 0, 0 }, 1L, new long[] { 0, 1, 0 }]],
        ["aten::max_pool2d"] = [["f32[2, 3, 9, 8]", new long[] { 2, 2 }], ["f32[3, 9, 8]", new long[] { 3, 3 }, new long[] { 2, 2 }, new long[] { 1, 1 }, new long[] { 1, 1 }, true]],
        ["aten::max_pool2d_with_indices"] = [["f32[2, 3, 9, 8]", 2L], ["f32[2, 3, 9, 8]", new long[] { 3, 2 }, new long[] { 2, 1 }, new long[] { 1, 1 }, new long[] { 1, 1 }, true]],
        ["aten::max_pool2d_with_indices_backward"] = [["f32[2, 3, 4, 4]", "f32[2, 3, 8, 8]", 2L, 2L, 0L, 1L, false, "i64[2, 3, 4, 4]<64"]],
        ["aten::avg_pool2d"] = [["f32[2, 3, 9, 8]", 2L], ["f32[3, 9, 8]", new long[] { 3, 3 }, new long[] { 2, 2 }, new long[] { 1, 1 }, true]],
        ["aten::avg_pool2d_backward"] = [["f32[2, 3, 4, 4]", "f32[2, 3, 8, 8]", 2L, 2L, 0L, false, true, null]],
        ["aten::adaptive_avg_pool2d"] = [["f32[2, 3, 9, 8]", new long[] { 2, 3 }], ["f32[2, 3, 9, 8]", 1L]],
        ["aten::_adaptive_avg_pool2d"] = [["f32[2, 3, 9, 8]", new long[] { 2, 3 }]],
        ["aten::_adaptive_avg_pool2d_backward"] = [["f32[2, 3, 2, 3]", "f32[2, 3, 9, 8]"]],
        ["aten::upsample_nearest2d"] = [["f32[2, 3, 4, 5]", new long[] { 8, 10 }]],
        ["aten::cat"] = [[new[] { "f32[2, 3]", "f32[4, 3]" }], [new[] { "f32[2, 3]", "i64[2, 1]" }, -1L], [new[] { "f32[0]", "f32[2, 3]" }, 1L]],
        ["aten::stack"] = [[new[] { "f32[2, 3]", "f32[2, 3]" }], [new[] { "f32[2]", "f32[2]", "f32[2]" }, -1L]],
        ["aten::index_select"] = [["f32[5, 3]", 0L, "i64[7]<5"], ["f32[5, 3]", -1L, "i64[2]<3"]],
        ["aten::gather"] = [["f32[5, 3]", 1L, "i64[5, 2]<3"]],
        ["aten::embedding"] = [["f32[9, 4]", "i64[2, 3]<9"], ["bf16[9, 4]", "i64[]<9"]],
        ["aten::embedding_dense_backward"] = [["f32[2, 3, 4]", "i64[2, 3]<9", 9L, 2L, false], ["f32[2, 3, 4]", "i64[2, 3]<9", 9L, -1L, true]],
        ["aten::index.Tensor"] = [["f32[5, 3, 4]", new[] { "i64[7]<5" }], ["f32[5, 3, 4]", new[] { null, "i64[7, 2]<3" }], ["f32[5, 3, 4]", new[] { "i64[7]<5", null, "i64[1]<4" }], ["f32[5, 3, 4]", new[] { null, "i64[7]<3", "i64[2, 1]<4" }]],
        ["aten::one_hot"] = [["i64[2, 3]<5", 5L]],
        ["aten::index_put"] = [["f32[5, 3]", new[] { "i64[2]<5" }, "f32[2, 3]"], ["f32[5, 3]", new[] { null, "i64[2]<3" }, "f32[5, 2]", true]],
        ["aten::scatter.src"] = [["f32[5, 3]", 1L, "i64[5, 2]<3", "f32[5, 2]"]],
        ["aten::scatter.value"] = [["f32[5, 3]", 1L, "i64[5, 2]<3", 2.5]],
        ["aten::scatter_add"] = [["f32[5, 3]", 1L, "i64[5, 2]<3", "f32[5, 2]"]],
        ["aten::index_copy"] = [["f32[5, 3]", 0L, "i64[2]<5", "f32[2, 3]"]],
        ["aten::index_add"] = [["f32[5, 3]", 0L, "i64[2]<5", "f32[2, 3]", 0.5]],
        ["aten::index_fill.int_Scalar"] = [["f32[5, 3]", 0L, "i64[2]<5", 2L]],
        ["aten::slice_scatter"] = [["f32[9, 3]", "f32[2, 3]", 0L, 2L, 8L, 3L], ["f32[9, 3]", "f32[9, 3]"]],
        ["aten::select_scatter"] = [["f32[9, 3]", "f32[9]", 1L, -1L]],
        ["aten::diagonal_scatter"] = [["f32[4, 3]", "f32[3]"]],
        ["aten::slice_backward"] = [["f32[2, 3]", new long[] { 9, 3 }, 0L, 2L, 8L, 3L]],
        ["aten::select_backward"] = [["f32[3]", new long[] { 9, 3 }, 0L, -2L]],
        ["aten::repeat"] = [["f32[2, 3]", new long[] { 2, 1 }], ["f32[3]", new long[] { 2, 1, 2 }]],
        ["aten::round.decimals"] = [["f32[2, 3]", 1L]],
        ["aten::round_.decimals"] = [["f32[2, 3]", 1L]],
        ["aten::repeat_interleave.self_int"] = [["f32[2, 3]", 2L], ["f32[2, 3]", 3L, -1L]],
        ["aten::flip"] = [["f32[2, 3]", new long[] { 0, -1 }]],
        ["aten::roll"] = [["f32[2, 3]", new long[] { 1 }, new long[] { 1 }], ["f32[2, 3]", new long[] { 4 }]],
        ["aten::tril"] = [["f32[3, 3]"], ["bool[2, 4, 3]", -1L]],
        ["aten::triu"] = [["f32[3, 3]"], ["bool[2, 4, 3]", 1L]],
        ["aten::constant_pad_nd"] = [["f32[2, 3]", new long[] { 1, 2 }], ["f32[2, 3]", new long[] { 1, -1, 0, 3 }, 1.5]],
        ["aten::zeros"] = [[new long[] { 2, 3 }], [Array.Empty<long>(), ScalarType.Int64]],
        ["aten::ones"] = [[new long[] { 2, 3 }], [Array.Empty<long>(), ScalarType.Bool]],
        ["aten::empty.memory_format"] = [[new long[] { 2, 3 }]],
        ["aten::full"] = [[new long[] { 2, 3 }, 1L], [new long[] { 2 }, 1.5], [new long[] { 2 }, true], [new long[] { 2 }, 1L, ScalarType.BFloat16]],
        ["aten::scalar_tensor"] = [[1L], [1.5, ScalarType.Float64]],
        ["aten::eye"] = [[3L]],
        ["aten::eye.m"] = [[3L, 4L, ScalarType.Int64]],
        ["aten::zeros_like"] = [["f32[2, 3]"], ["f32[2, 3]", ScalarType.Int64]],
        ["aten::ones_like"] = [["f32[2, 3]"], ["f32[2, 3]", ScalarType.Int64]],
        ["aten::empty_like"] = [["f32[2, 3]"], ["f32[2, 3]", ScalarType.Int64]],
        ["aten::full_like"] = [["f32[2, 3]", 1L], ["i64[2, 3]", 2L]],
        ["aten::new_zeros"] = [["bf16[2]", new long[] { 3, 3 }]],
        ["aten::new_ones"] = [["bf16[2]", new long[] { 3, 3 }, ScalarType.Int64]],
        ["aten::new_empty"] = [["bf16[2]", new long[] { 3, 3 }]],
        ["aten::new_full"] = [["bf16[2]", new long[] { 3, 3 }, 2L]],
        ["aten::arange"] = [[7L], [2.5]],
        ["aten::arange.start"] = [[2L, 7L], [2L, 4.5], [2L, 7L, ScalarType.Float32]],
        ["aten::arange.start_step"] = [[2L, 8L, 3L], [8L, 2L, -2L], [0.0, 1.0, 0.3]],
        ["aten::linspace"] = [[0L, 1L, 5L]],
        ["aten::rand"] = [[new long[] { 2, 3 }]],
        ["aten::randn"] = [[new long[] { 2, 3 }, ScalarType.Float64]],
        ["aten::rand_like"] = [["f32[2, 3]"]],
        ["aten::randn_like"] = [["f32[2, 3]", ScalarType.Float64]],
        ["aten::randint.low"] = [[2L, 9L, new long[] { 4 }]],
        ["aten::randperm"] = [[9L]],
        ["aten::multinomial"] = [["p32[2, 5]", 2L], ["p32[5]", 7L, true]],
        ["aten::bernoulli"] = [["p32[2, 5]"]],
        ["aten::bernoulli.p"] = [["f32[2, 5]", 0.3]],
        ["aten::uniform"] = [["f32[2, 5]"]],
        ["aten::normal_functional"] = [["f32[2, 5]", 1L, 2L]],
        ["aten::dropout"] = [["f32[2, 5]", 0.5, true], ["f32[2, 5]", 0.5, false]],
        ["aten::native_dropout"] = [["f32[2, 5]", 0.5, true], ["f32[2, 5]", 0.5, false], ["f32[2, 5]", 1.0, null]],
        ["aten::native_dropout_backward"] = [["f32[2, 5]", "bool[2, 5]", 2.0]],
        ["aten::nll_loss_forward"] = [["f32[4, 5]", "i64[4]<5", null, 1L, -100L], ["f32[4, 5]", "i64[4]<5", "f32[5]", 0L, 2L], ["f32[5]", "i64[]<5", null, 2L, -100L]],
        ["aten::nll_loss_backward"] = [["f32[]", "f32[4, 5]", "i64[4]<5", null, 1L, -100L, "f32[]"], ["f32[4]", "f32[4, 5]", "i64[4]<5", null, 0L, -100L, "f32[]"]],
        ["aten::cross_entropy_loss"] = [["f32[4, 5]", "i64[4]<5"], ["f32[4, 5]", "i64[4]<5", null, 0L], ["f32[4, 5]", "p32[4, 5]", null, 0L]],
        ["aten::binary_cross_entropy"] = [["p32[4, 5]", "p32[4, 5]"], ["p32[4]", "p32[4]", null, 0L]],
        ["aten::binary_cross_entropy_backward"] = [["f32[]", "p32[4, 5]", "p32[4, 5]"], ["p32[4]", "p32[4]", "p32[4]", null, 0L]],
        ["aten::binary_cross_entropy_with_logits"] = [["f32[4, 5]", "p32[4, 5]"], ["f32[4]", "p32[4]", "f32[4]", null, 0L]],
        ["aten::mse_loss"] = [["f32[4, 5]", "f32[4, 5]"], ["f32[4]", "f32[4]", 0L]],
        ["aten::l1_loss"] = [["f32[4, 5]", "f32[4, 5]"], ["f32[4]", "f32[4]", 0L]],
        ["aten::smooth_l1_loss"] = [["f32[4, 5]", "f32[4, 5]"], ["f32[4]", "f32[4]", 0L]],
        ["aten::huber_loss"] = [["f32[4, 5]", "f32[4, 5]"], ["f32[4]", "f32[4]", 2L]],
        ["aten::mse_loss_backward"] = [["f32[]", "f32[4, 5]", "f32[4, 5]", 1L], ["f32[4]", "f32[4]", "f32[4]", 0L]],
        ["aten::smooth_l1_loss_backward"] = [["f32[]", "f32[4, 5]", "f32[4, 5]", 1L, 1.0]],
        ["aten::huber_loss_backward"] = [["f32[]", "f32[4, 5]", "f32[4, 5]", 1L, 1.0]],
        ["aten::tanh_backward"] = [["f32[2, 3]", "f32[2, 3]"], ["bf16[4]", "bf16[4]"], ["f64[2, 1]", "f64[1, 3]"]],
        ["aten::sigmoid_backward"] = [["f32[2, 3]", "f32[2, 3]"], ["bf16[4]", "bf16[4]"], ["f64[2, 1]", "f64[1, 3]"]],
        ["aten::hardtanh_backward"] = [["f32[4]", "f32[4]", -1L, 1L]],
        ["aten::leaky_relu_backward"] = [["f32[4]", "f32[4]", 0.01, false]],
        ["aten::softplus_backward"] = [["f32[4]", "f32[4]", 1L, 20L]],
        ["aten::elu_backward"] = [["f32[4]", 1L, 1L, 1L, false, "f32[4]"], ["f32[4]", 1L, 1L, 1L, true, "f32[4]"]],
        ["aten::var.correction"] = [["f32[2, 3]", null], ["f32[2, 3]", new long[] { 1 }, 0L, true], ["f32[2, 3, 4]", new long[] { 0, -1 }, 2L]],
        ["aten::std.correction"] = [["f32[2, 3]", null], ["f64[2, 3]", new long[] { 1 }, 0L, true]],
        ["aten::var_mean.correction"] = [["f32[2, 3]", null], ["bf16[2, 3]", new long[] { 1 }, 0L, true]],
        ["aten::linalg_vector_norm"] = [["f32[2, 3]"], ["f32[2, 3]", 1L, new long[] { 1 }, true], ["bf16[2, 3]", 2L, null, false, ScalarType.Float32]],
        ["toolkit::rms_norm"] = [["f32[2, 3, 8]", "f32[8]", 1e-5], ["bf16[2, 8]", "bf16[8]", 1e-5], ["bf16[2, 8]", "f32[8]", 1e-5]],
        ["toolkit::rotary"] = [["f32[2, 3, 4, 16]", "f32[3, 1, 8]", "f32[3, 1, 8]"], ["f32[2, 3, 4, 16]", "f32[2, 3, 1, 4]", "f32[2, 3, 1, 4]"]],
        ["toolkit::attention"] = [["f32[2, 3, 4, 8]", "f32[2, 5, 2, 8]", "f32[2, 5, 2, 8]"], ["f32[2, 1, 4, 8]", "f32[2, 5, 2, 8]", "f32[2, 5, 2, 8]", "bool[1, 5]", 0.2, 5.0]],
        ["toolkit::swiglu"] = [["f32[2, 8]", "f32[2, 8]"], ["bf16[3]", "bf16[3]"]],
        ["toolkit::cross_entropy"] = [["f32[4, 5]", "i64[4]<5"], ["bf16[4, 5]", "i64[4]<5"]],
        ["toolkit::cross_entropy_of_head"] = [["f32[4, 8]", "f32[5, 8]", "i64[4]<5"]],
    };

    public static TheoryData<string> Names => [.. Operators.All.Where(op => op is { CanInfer: true, CanEvaluate: true }).Select(op => op.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void InferredTypesAreEvaluatedTypes(string name)
    {
        var op = Operators.Get(name);
        var random = new Random(name.Length);
        var (checkedSamples, reasons) = (0, new List<string>());
        foreach (var sample in Samples(op, random))
        {
            using var scope = NewDisposeScope();
            var builder = new GraphBuilder();
            var tensors = new List<Tensor>();
            var arguments = GraphBuilder.WithDefaults(op, [.. sample.Select(item => Argument(item, builder, tensors, random))]);
            TensorType[] inferred;
            try
            {
                inferred = op.Infer(arguments);
            }
            catch (GraphException exception)
            {
                reasons.Add(exception.Message);
                continue;
            }

            Tensor[] results;
            try
            {
                results = op.Evaluate(new(op, arguments), [.. tensors]);
            }
            catch (Exception exception) when (exception is not NullReferenceException)
            {
                // libtorch has no kernel for the type.
                reasons.Add($"[{string.Join(", ", arguments)}] of {string.Join(", ", builder.Inputs)}: {exception.Message.Split('\n')[0]}");
                continue;
            }

            checkedSamples++;
            Assert.Equal(inferred, results.Select(TensorType.Of));
        }

        // A written sample must run; of random ones, which may have types without a kernel, some.
        Assert.True(checkedSamples >= (Written(op) is { } written ? written.Length : 4), $"only {checkedSamples} samples ran: {string.Join("; ", reasons.Distinct().Take(8))}");
    }

    [Fact]
    public void WritingAtIndicesMayLeaveDimensionsOut()
    {
        using var scope = NewDisposeScope();
        var op = Operators.Get("aten::index_put");
        var (self, rows, columns) = (arange(60, ScalarType.Float32).reshape(3, 4, 5), tensor(new long[] { 2, 0 }), tensor(new long[] { 1, 1 }));
        Tensor?[][] cases = [[rows], [null, rows], [null, rows, columns], [rows, null, columns], [null, null, rows], [rows, null, null]];
        foreach (var indices in cases)
        {
            foreach (var accumulate in new[] { false, true })
            {
                var builder = new GraphBuilder();
                Value Of(Tensor tensor) => builder.Input(TensorType.Of(tensor), GraphInputKind.Argument, "x");
                var places = indices.Select(index => index is null ? TensorIndex.Colon : TensorIndex.Tensor(index)).ToArray();
                var values = arange(self.index(places).numel(), ScalarType.Float32).reshape(self.index(places).shape).add(100);

                // Each value's place is found by gathering the places, and the values are put there one by one.
                var at = arange(60).reshape(3, 4, 5).index(places).reshape(-1).data<long>().ToArray();
                var expected = self.reshape(-1).data<float>().ToArray();
                foreach (var (place, value) in at.Zip(values.reshape(-1).data<float>().ToArray()))
                {
                    expected[place] = accumulate ? expected[place] + value : value;
                }

                var arguments = GraphBuilder.WithDefaults(op, [Of(self), new ValuesArgument([.. indices.Select(index => index is null ? null : Of(index))]), Of(values), accumulate]);
                var result = op.Evaluate(new(op, arguments), [self, .. indices.OfType<Tensor>(), values])[0];
                Assert.Equal(expected, result.reshape(-1).data<float>().ToArray());
            }
        }
    }

    [Fact]
    public void EveryOperatorIsThereWhicheverClassIsTouchedFirst() => Assert.True(Operators.All.Count > 250, $"{Operators.All.Count}");

    [Fact]
    public void InPlaceOperatorsHaveAFunctionalTwin() =>
        Assert.All(Operators.All.Where(op => op.IsMutating && op.Name is not ("aten::copy_" or "aten::zero_" or "aten::fill_.Scalar" or "aten::fill_.Tensor" or "aten::_native_batch_norm_legit")), op => Assert.NotNull(Definition.FunctionalOf(op)));

    private static object?[][]? Written(Operator op)
    {
        if (_samples.TryGetValue(op.Name, out var written))
        {
            return written;
        }

        // In place: what is written must fit into the first.
        return op.Name is "aten::where" || Definition.FunctionalOf(op) is not { } functional || !_samples.TryGetValue(functional.Name, out written) ? null : written;
    }

    private static IEnumerable<object?[]> Samples(Operator op, Random random)
    {
        if (Written(op) is { } written)
        {
            return written;
        }

        return Enumerable.Range(0, 40).Select(_ =>
        {
            var full = Enumerable.Range(0, random.Next(0, 4)).Select(_ => random.Next(1, 4)).ToArray();
            var type = _types[random.Next(_types.Length)];
            var same = op.Name.Contains("backward", StringComparison.Ordinal) || random.Next(2) == 0;
            return op.Parameters.Where(p => p.Default is null || p.Type is "Tensor?" or "Scalar?" or "int[]?" or "bool" or "int[]").Select(p => p.Type switch
            {
                "Tensor" or "Tensor?" when p.IsWritten => (object?)$"{DataTypes.Name(type)}[{string.Join(", ", full)}]",
                "Tensor" or "Tensor?" => $"{DataTypes.Name(same ? type : _types[random.Next(_types.Length)])}[{string.Join(", ", Part(full, same && op.Name.Contains("backward", StringComparison.Ordinal), random))}]",
                "Scalar" or "Scalar?" => random.Next(3) switch { 0 => (object)(long)random.Next(1, 4), 1 => random.NextDouble(), _ => random.Next(2) == 0 && p.Name == "other" },
                "float" => random.NextDouble(),
                "bool" => random.Next(2) == 0,
                "int[]?" or "int[]" => full.Length == 0 ? null : new long[] { random.Next(full.Length) },
                var other => throw new InvalidOperationException($"{op.Name} needs a written sample: {other} {p.Name}"),
            } ?? (p.Type == "int[]" ? Array.Empty<long>() : null)).ToArray();
        });
    }

    private static IEnumerable<int> Part(int[] full, bool whole, Random random) =>
        whole ? full : full.Skip(random.Next(3) == 0 ? random.Next(full.Length + 1) : 0).Select(size => random.Next(4) == 0 ? 1 : size);

    private static Argument Argument(object? item, GraphBuilder builder, List<Tensor> tensors, Random random) => item switch
    {
        null => NoArgument.Instance,
        string text when text[0] == '\'' => text[1..],
        string text when text[0] == '@' => new DeviceArgument(text[1..]),
        string text => Input(text, builder, tensors, random),
        long number => number,
        double number => number,
        bool flag => flag,
        long[] numbers => numbers,
        ScalarType type => type,
        string?[] list => new ValuesArgument([.. list.Select(text => text is null ? null : Input(text, builder, tensors, random))]),
        _ => throw new InvalidOperationException($"{item}"),
    };

    private static Value Input(string text, GraphBuilder builder, List<Tensor> tensors, Random random)
    {
        var match = Tensors().Match(text);
        var sizes = match.Groups["sizes"].Value.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(long.Parse).ToArray();
        var name = match.Groups["type"].Value;
        var type = name == "p32" ? ScalarType.Float32 : DataTypes.Find(name)!.Value;
        using var generator = new Generator((ulong)random.Next());
        Tensor value;
        if (TypePromotion.IsFloating(type))
        {
            value = (name == "p32" ? torch.rand(sizes, generator: generator) : torch.randn(sizes, generator: generator)).to(type);
        }
        else
        {
            value = torch.randint(0, match.Groups["bound"].Success ? long.Parse(match.Groups["bound"].Value, null) : type == ScalarType.Bool ? 2 : 7, sizes, generator: generator).to(type);
        }

        tensors.Add(value);
        return builder.Input(TensorType.Of(value), GraphInputKind.Argument, $"input{tensors.Count}");
    }

    [GeneratedRegex(@"^(?<type>\w+)\[(?<sizes>[\d, ]*)\](<(?<bound>\d+))?$")]
    private static partial Regex Tensors();
}
