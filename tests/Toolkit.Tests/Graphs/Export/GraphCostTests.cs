using Toolkit.Graphs;
using Toolkit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Export;

public sealed class GraphCostTests
{
    [Fact]
    public void Linear_CostsWhatAPersonCounts()
    {
        using var scope = NewDisposeScope();
        var cost = Graph.Of(nn.Linear(8, 4), randn(3, 8)).Cost();
        Assert.Equal(2 * 3 * 8 * 4, cost.ProductFlops);
        Assert.Equal((2 * 3 * 8 * 4) + (3 * 4), cost.Flops);
        Assert.Equal(4 * ((8 * 4) + 4), cost.ParameterBytes);
        Assert.Equal(4 * 3 * 8, cost.ArgumentBytes);
        Assert.Equal(4 * 3 * 4, cost.PeakActivationBytes);
        Assert.Equal(4 * ((3 * 8) + (8 * 4) + 4), cost.BytesRead);
        Assert.Equal(4 * 3 * 4, cost.BytesWritten);
    }

    [Fact]
    public void Convolution_CostsWhatAPersonCounts()
    {
        using var scope = NewDisposeScope();
        var cost = Graph.Of(nn.Sequential(nn.Conv2d(4, 6, 3, padding: 1, groups: 2), nn.ReLU()), randn(2, 4, 10, 12)).Cost();
        var places = 2 * 6 * 10 * 12;
        Assert.Equal(2L * places * 2 * 9, cost.ProductFlops);
        Assert.Equal((2L * places * 2 * 9) + places + places, cost.Flops);
        Assert.Equal(4L * 2 * places, cost.PeakActivationBytes);
    }

    [Fact]
    public void Attention_CostsWhatAPersonCounts()
    {
        var builder = new GraphBuilder();
        var q = builder.Input(new(ScalarType.Float32, [2, 3, 5, 8]), GraphInputKind.Argument, "q");
        var k = builder.Input(new(ScalarType.Float32, [2, 3, 7, 8]), GraphInputKind.Argument, "k");
        var whole = builder.Build([builder.Add("aten::scaled_dot_product_attention", q, k, k)]).Cost();
        Assert.Equal(4L * 2 * 3 * 5 * 7 * 8, whole.ProductFlops);
        Assert.Equal((4L * 2 * 3 * 5 * 7 * 8) + (6L * 2 * 3 * 5 * 7), whole.Flops);
        builder = new GraphBuilder();
        q = builder.Input(new(ScalarType.Float32, [2, 3, 5, 8]), GraphInputKind.Argument, "q");
        var causal = builder.Build([builder.Add("aten::scaled_dot_product_attention", q, q, q, NoArgument.Instance, 0.0, true)]).Cost();
        Assert.Equal(4L * 2 * 3 * (5 * 6 / 2) * 8, causal.ProductFlops);
    }

    [Fact]
    public void PointwiseAndNorm_CostWhatTheyConsistOf()
    {
        var builder = new GraphBuilder();
        var x = builder.Input(new(ScalarType.Float32, [4, 16]), GraphInputKind.Argument, "x");
        var y = builder.Add("aten::tanh", builder.Add("aten::mul.Tensor", x, x));
        Assert.Equal(2 * 64, builder.Build([y]).Cost().Flops);

        builder = new GraphBuilder();
        x = builder.Input(new(ScalarType.Float32, [4, 16]), GraphInputKind.Argument, "x");
        var norm = builder.Build([builder.Add("aten::layer_norm", x, new long[] { 16 }, NoArgument.Instance, NoArgument.Instance, 1e-5)]).Cost();

        // Sum, difference, square, sum of squares, product: five over all values; scale, scale, add, 1/√ over the rows.
        Assert.Equal((5 * 64) + (4 * 4), norm.Flops);
        Assert.Equal(0, norm.ProductFlops);
    }

    [Fact]
    public void ViewsAreFree_AndMemoryIsFreedAfterItsLastUse()
    {
        var builder = new GraphBuilder();
        var x = builder.Input(new(ScalarType.Float32, [100]), GraphInputKind.Argument, "x");
        var a = builder.Add("aten::exp", x);
        var view = builder.Add("aten::view", a, new long[] { 10, 10 });
        var b = builder.Add("aten::neg", view);
        var c = builder.Add("aten::neg", b);
        var d = builder.Add("aten::neg", c);
        var cost = builder.Build([d]).Cost();
        Assert.Equal(800, cost.PeakActivationBytes);
        Assert.Equal([400L, 400L, 800L, 800L, 800L], cost.Nodes.Select(node => node.LiveBytes));
        Assert.Equal((0L, 0L, 0L), (cost.Nodes[1].Flops, cost.Nodes[1].BytesRead, cost.Nodes[1].BytesWritten));

        // The view keeps the memory of what it is a view of, and an operation in place takes none.
        builder = new GraphBuilder();
        x = builder.Input(new(ScalarType.Float32, [100]), GraphInputKind.Argument, "x");
        a = builder.Add("aten::exp", x);
        view = builder.Add("aten::select.int", builder.Add("aten::view", a, new long[] { 10, 10 }), 0L, 0L);
        builder.Add("aten::mul_.Scalar", a, 2.0);
        b = builder.Add("aten::neg", view);
        cost = builder.Build([b]).Cost();
        Assert.Equal(440, cost.PeakActivationBytes);
    }

    [Fact]
    public void Decoder_CostsWhatTheEngineSays()
    {
        using var scope = NewDisposeScope();
        var model = Decoder.Create(DecoderConfig.Llama(2, 16, 4, 2, 50), 1);
        foreach (var time in new[] { 1, 6 })
        {
            var cost = Graph.Of(model, zeros([1, time], ScalarType.Int64)).Cost();
            Assert.Equal(model.FlopsPerToken(time) * time, (double)cost.ProductFlops);
        }
    }

    [Fact]
    public void ModuleThatCannotBeCapturedWhole_IsABreak()
    {
        using var scope = NewDisposeScope();
        Assert.Throws<GraphBreakException>(() => Graph.Of(new Branching(), randn(3)));
        Assert.Throws<ArgumentException>(() => Graph.Of(nn.ReLU(), randn(3), randn(3)));
    }

    private sealed class Branching() : nn.Module<Tensor, Tensor>(nameof(Branching))
    {
        public override Tensor forward(Tensor input) => input.sum().item<float>() > 0 ? input : input.neg();
    }
}
