using Toolkit.Graphs;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs;

/// <content>Steps: each adds what one line of a program would.</content>
internal sealed partial class RandomGraph
{
    private void Binary()
    {
        var (a, b) = (Any(), Any());
        switch (_random.Next(6))
        {
            case 0 when Floating(a) && Floating(b):
                Add("aten::maximum", a, b);
                break;
            case 1:
                Add("aten::where.self", Of(value => value.Type.DType == ScalarType.Bool), a, b);
                break;
            case 2 when a.Type.DType == ScalarType.Int64:
                Add("aten::lt.Scalar", a, (long)_random.Next(-2, 3));
                break;
            case 3 when a.Type.DType != ScalarType.Bool && b.Type.DType != ScalarType.Bool:
                Add("aten::sub.Tensor", a, b);
                break;
            case 4:
                Add("aten::add.Tensor", a, b, _random.Next(3) == 0 ? 2L : 1L);
                break;
            default:
                Add("aten::mul.Tensor", a, b);
                break;
        }
    }

    private void Scalar()
    {
        var a = Of(Floating);
        Argument number = _random.Next(5) switch { 0 => 0L, 1 => 1L, 2 => 1.0, 3 => -0.0, _ => _random.NextDouble() };
        switch (_random.Next(6))
        {
            case 0:
                Add("aten::pow.Tensor_Scalar", a, (long)_random.Next(1, 3));
                break;
            case 1:
                Add("aten::gelu", a, _random.Next(2) == 0 ? "none" : "tanh");
                break;
            case 2:
                Add("aten::rsub.Scalar", a, number);
                break;
            default:
                Add($"aten::{(_random.Next(3) switch { 0 => "add", 1 => "sub", _ => "mul" })}.Scalar", a, number);
                break;
        }
    }

    private void View()
    {
        var x = Any();
        var shape = x.Type.Shape;
        var dim = _random.Next(Math.Max(1, shape.Count));
        var source = x;
        switch (_random.Next(12))
        {
            case 0 when _contiguous.Contains(x):
                _contiguous.Add(AddView(x, "aten::view", Arranged(shape)));
                return;
            case 1 when !_inPlace:
                AddView(x, "aten::reshape", Arranged(shape));
                return;
            case 2 when shape.Count > 0:
                AddView(x, "aten::permute", Enumerable.Range(0, shape.Count).Select(d => (long)d).OrderBy(_ => _random.Next()).ToArray());
                return;
            case 3:
                AddView(x, "aten::transpose.int", (long)dim, -1L);
                return;
            case 4 when shape.Count > 0:
                var start = _random.Next((int)shape[dim] + 1);
                AddView(x, "aten::slice.Tensor", (long)dim, (long)start, (long)_random.Next(start, (int)shape[dim] + 2), (long)_random.Next(1, 3));
                return;
            case 5 when shape.Count > 0:
                var from = _random.Next((int)shape[dim]);
                AddView(x, "aten::narrow", (long)dim, (long)from, (long)_random.Next(1, (int)shape[dim] - from + 1));
                return;
            case 6 when shape.Count > 0:
                AddView(x, "aten::select.int", (long)dim, (long)_random.Next(-(int)shape[dim], (int)shape[dim]));
                return;
            case 7:
                AddView(x, "aten::unsqueeze", (long)_random.Next(shape.Count + 1));
                return;
            case 8:
                AddView(x, "aten::squeeze");
                return;
            case 9:
                _overlapping.Add(AddView(x, "aten::expand", (long[])[_random.Next(1, 3), .. shape]));
                return;
            case 10:
                AddView(x, _random.Next(2) == 0 ? "aten::alias" : "aten::detach");
                return;
            case 11 when shape.Count > 0:
                var parts = _random.Next(3) switch
                {
                    0 => Node("aten::split.Tensor", x, (long)_random.Next(1, 3), (long)dim),
                    1 => Node("aten::unbind.int", x, (long)dim),
                    _ => Node("aten::chunk", x, 2L, (long)dim),
                };
                foreach (var part in parts.Outputs)
                {
                    Inherit(source, part);
                }

                return;
        }
    }

    private void Reduce()
    {
        var x = Of(value => Floating(value) && value.Type.Shape.Count > 0 && value.Type.Elements > 0);
        var dim = (long)_random.Next(x.Type.Shape.Count);
        switch (_random.Next(7))
        {
            case 0:
                Add("aten::sum.dim_IntList", x, new[] { dim }, _random.Next(2) == 0);
                break;
            case 1:
                Add("aten::mean.dim", x, new[] { dim }, _random.Next(2) == 0);
                break;
            case 2:
                Add("aten::amax", x, new[] { dim }, _random.Next(2) == 0);
                break;
            case 3:
                Add(_random.Next(2) == 0 ? "aten::softmax.int" : "aten::log_softmax.int", x, dim);
                break;
            case 4 when x.Type.Shape[(int)dim] > 1:
                Add("aten::var.correction", x, new[] { dim }, (long)_random.Next(2), true);
                break;
            case 5:
                Add("aten::layer_norm", x, (long[])[x.Type.Shape[^1]], NoArgument.Instance, NoArgument.Instance, 1e-2);
                break;
            default:
                Add("aten::cumsum", x, dim);
                break;
        }
    }

    private void Products()
    {
        var x = Of(value => Floating(value) && value.Type.Shape.Count > 0 && value.Type.Elements > 0);
        switch (_random.Next(4))
        {
            case 0:
                Add("aten::matmul", x, Of(value => value.Type.DType == x.Type.DType && value.Type.Shape.Count > 0));
                break;
            case 1:
                Add("aten::linear", x, Of(value => value.Type.DType == x.Type.DType && value.Type.Shape.Count == 2 && value.Type.Shape[1] == x.Type.Shape[^1]));
                break;
            case 2 when x.Type.Shape.Count == 2:
                Add("aten::addmm", Add("aten::full", (long[])[x.Type.Shape[0]], 0.5, x.Type.DType), x, Add("aten::t", x), 2L, 0.5);
                break;
            default:
                Add("aten::cat", (Value[])[x, Of(value => value.Type.DType == x.Type.DType)], 0L);
                break;
        }
    }

    private void Copies()
    {
        var x = Any();
        switch (_random.Next(6))
        {
            case 0:
                Add("aten::clone", x);
                break;
            case 1 when Floating(x):
                Add("aten::_to_copy", x, _random.Next(2) == 0 ? ScalarType.Float64 : ScalarType.Float32);
                break;
            case 2 when !_inPlace:
                Add("aten::contiguous", x);
                break;
            case 3:
                _contiguous.Add(Add("aten::zeros_like", x));
                break;
            case 4:
                _contiguous.Add(Add("aten::full", (long[])[_random.Next(1, 4)], _random.Next(2) == 0 ? 1.0 : 0.25, ScalarType.Float64));
                break;
            default:
                Add("aten::arange", (long)_random.Next(1, 4));
                break;
        }
    }

    private void Several()
    {
        var x = Of(Floating);
        switch (_random.Next(4))
        {
            case 0:
                Add("aten::stack", (Value[])[x, x], 0L);
                break;
            case 1:
                Add("aten::addcmul", x, x, Of(value => value.Type.DType == x.Type.DType), 0.5);
                break;
            case 2:
                Add("aten::masked_fill.Scalar", x, Of(value => value.Type.DType == ScalarType.Bool), 0.5);
                break;
            default:
                Add("aten::lerp.Scalar", x, Of(value => value.Type == x.Type), _random.NextDouble());
                break;
        }
    }

    private void InPlace()
    {
        var x = Of(value => !_overlapping.Contains(value) && value.Type.Elements > 0);
        var source = Any();
        switch (_random.Next(8))
        {
            case 0:
                Written(x, "aten::copy_", x, source);
                break;
            case 1 when x.Type.DType != ScalarType.Bool:
                Written(x, "aten::fill_.Scalar", x, (long)_random.Next(3));
                break;
            case 2:
                Written(x, "aten::zero_", x);
                break;
            case 3 when Floating(x):
                Written(x, "aten::tanh_", x);
                break;
            case 4 when Floating(x):
                Written(x, "aten::mul_.Scalar", x, 0.5);
                break;
            case 5 when Floating(x) && Floating(source):
                // Numbers that the operator itself overwrites have no meaning in libtorch.
                Written(x, "aten::add_.Tensor", x, Add("aten::mul.Scalar", source, 0.5));
                break;
            case 6 when Floating(x) && source.Type.DType == ScalarType.Bool:
                Written(x, "aten::masked_fill_.Scalar", x, source, 1.5);
                break;
            default:
                Written(x, "aten::copy_", x, Add("aten::cos", Of(Floating)));
                break;
        }
    }
}
