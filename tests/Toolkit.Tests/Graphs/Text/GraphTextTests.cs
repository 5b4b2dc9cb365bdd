using Toolkit.Graphs;
using Toolkit.Graphs.Cpu;
using Toolkit.Graphs.Passes;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Text;

public sealed class GraphTextTests
{
    private const string Small = """
        graph {
          input %0: f32[2, 3] argument "x"
          input %1: f32[3] parameter "layers.0.weight"
          %2: f32[2, 3] = aten::mul.Tensor(%0, %1) # "layers.0" "Norm.forward" "Model \"A\".cs":12
          %3: f32[2, 3] = aten::add.Scalar(%2, -0.5, 1)
          mutate %0 = %3
          return %3, %1
        }

        """;

    [Fact]
    public void RandomGraphs_ComeBackAsTheyWere()
    {
        var (mutated, fused) = (0, 0);
        for (var seed = 0; seed < 200; seed++)
        {
            var graph = new RandomGraph(seed, seed % 2 == 0).Graph;
            RoundTrip(graph);
            graph = new Functionalization().Run(graph);
            mutated += graph.Mutations.Length > 0 ? 1 : 0;
            RoundTrip(graph);
            graph = Fusion.Apply(graph);
            fused += graph.Nodes.Any(node => node.Body is not null) ? 1 : 0;
            RoundTrip(graph);
        }

        Assert.True(mutated > 25 && fused > 50, $"{mutated} mutated, {fused} fused");
    }

    [Fact]
    public void Text_IsReadable()
    {
        var graph = Graph.Parse(Small);
        Assert.Equal(Small, graph.ToText());
        Assert.Equal(new Origin("layers.0", "Norm.forward", "Model \"A\".cs", 12), graph.Nodes[0].Origin);
        Assert.Equal(GraphInputKind.Parameter, graph.Inputs[1].Kind);
        using var scope = NewDisposeScope();
        var (x, w) = (arange(6, ScalarType.Float32).reshape(2, 3), tensor(new float[] { 1, 2, 3 }));
        var results = GraphInterpreter.Run(graph, x.clone(), w);
        Assert.Equal((x * w) - 0.5f, results[0]);
    }

    /// <summary>A kernel reads as many values as an operator says there are.</summary>
    [Theory]
    [InlineData("%1: f32[0]", "%2: f32[3, 8] = aten::linear(%0, %9, %1)", "the bias does not fit")]
    [InlineData("%1: f32[4]", "%2: f32[3, 8] = aten::layer_norm(%0, [8], %1, none, 1E-05, true)", "\"weight\" of the shape")]
    [InlineData("%1: f32[4]", "%2: f32[3, 8] = aten::group_norm(%0, 2, none, %1, 1E-05, true)", "\"bias\" of the shape")]
    [InlineData("%1: f32[0]", "%2: f32[3, 8] = aten::batch_norm(%0, none, none, %1, %1, false, 0.1, 1E-05, true)", "\"running_mean\" of the shape")]
    [InlineData("%1: f32[1]", "%2: f32[3, 8] = aten::softmax.int(%0, 7, none)", "no dimension 7")]
    public void WhatDoesNotFitTogether_IsRefused(string weight, string node, string message)
    {
        var text = $$"""
            graph {
              input %0: f32[3, 8] argument "x"
              input {{weight}} parameter "w"
              input %9: f32[8, 8] parameter "m"
              {{node}}
              return %2
            }

            """;
        Assert.Contains(message, Assert.ThrowsAny<Exception>(() => Graph.Parse(text)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void EveryKindOfArgument_ComesBack()
    {
        var builder = new GraphBuilder();
        var x = builder.Input(new(ScalarType.Float64, [4, 4]), GraphInputKind.Argument, "a \"name\"\nof two lines # not a comment");
        var far = builder.Input(new(ScalarType.BFloat16, [], "cuda:1"), GraphInputKind.Constant, "");
        builder.Origin = new("", "f", null, 0);
        var i = builder.Input(new(ScalarType.Int64, [2]), GraphInputKind.Argument, "i");
        var index = builder.Add(Operators.Get("aten::index.Tensor"), [x, new ValuesArgument([null, i])]);
        builder.Origin = new("m", "λ é <lambda>", "C:\\a b\\c.cs", 7);
        Value[] all =
        [
            index.Output, builder.Add("aten::full", new long[] { 2 }, double.NaN, ScalarType.Float64), builder.Add("aten::full", new long[] { }, double.NegativeInfinity, ScalarType.Float64),
            builder.Add("aten::full", new long[] { 0 }, double.PositiveInfinity, ScalarType.Float64, NoArgument.Instance, new DeviceArgument("cuda:1")),
            builder.Add("aten::add.Scalar", x, 1e-300), builder.Add("aten::add.Scalar", x, -0.0), builder.Add("aten::add.Scalar", x, long.MinValue), builder.Add("aten::add.Scalar", x, 1e22),
            builder.Add("aten::gelu", x, "tanh"), builder.Add("aten::sum.dim_IntList", x, new long[] { 0, -1 }, true), far,
        ];
        RoundTrip(builder.Build(all));
        RoundTrip(new GraphBuilder().Build([]));
    }

    [Theory]
    [InlineData("aten::mul.Tensor", "aten::mull.Tensor", "line 4, column 19: there is no operator \"aten::mull.Tensor\"")]
    [InlineData("(%0, %1)", "(%0, %7)", "line 4, column 40: %7 is not computed before")]
    [InlineData("(%0, %1)", "(%0)", "line 4, column 35: aten::mul.Tensor has 2 parameters and is given 1 arguments")]
    [InlineData("%2: f32[2, 3] =", "%2: f32[2, 4] =", "line 4, column 19: aten::mul.Tensor makes f32[2, 3] and is said to make f32[2, 4]")]
    [InlineData("%3: f32", "%2: f32", "line 5, column 3: %2 is there twice")]
    [InlineData("f32[3] parameter", "f33[3] parameter", "line 3, column 13: f33 is no type of values")]
    [InlineData("f32[3] parameter", "f32[-3] parameter", "line 3, column 13: an extent of [-3] is negative")]
    [InlineData("parameter", "thing", "line 3, column 20: thing stands where argument, parameter or constant is wanted")]
    [InlineData("mutate %0", "mutate %2", "line 6, column 10: %2 is no input")]
    [InlineData("mutate %0 = %3", "mutate %0 = %1", "line 6, column 15: %1: f32[3] is left in %0: f32[2, 3]")]
    [InlineData("\"x\"", "\"x", "line 2, column 32: a text has no end on its line")]
    [InlineData("-0.5", "-0.5.5", "line 5, column 40: -0.5.5 is no number")]
    [InlineData("}\n", "", "line 8, column 1: the end of the text stands where } is wanted")]
    [InlineData("}\n", "}\nmore", "line 9, column 1: there is more behind the graph")]
    [InlineData("\":12", "\":x", "line 4, column 45: module, method, file and line are wanted")]
    [InlineData("return", "&", "line 7, column 3: nothing begins with '&'")]
    public void Errors_NameLineAndColumn(string old, string replacement, string message)
    {
        var text = Small.Replace("\r\n", "\n", StringComparison.Ordinal);
        Assert.Contains(old, text);
        var at = text.IndexOf(old, StringComparison.Ordinal);
        var exception = Assert.Throws<GraphException>(() => Graph.Parse(text[..at] + replacement + text[(at + old.Length)..]));
        Assert.Equal(message, exception.Message);
    }

    [Fact]
    public void DamagedText_IsOneGraphException()
    {
        var random = new Random(7);
        var text = Fusion.Apply(new Functionalization().Run(new RandomGraph(12, true).Graph)).ToText();
        for (var i = 0; i < 1000; i++)
        {
            var damaged = text.ToCharArray();
            for (var n = random.Next(1, 4); n > 0; n--)
            {
                damaged[random.Next(damaged.Length)] = (char)random.Next(9, 127);
            }

            var cut = new string(damaged, 0, random.Next(2) == 0 ? damaged.Length : random.Next(damaged.Length));
            try
            {
                GraphVerifier.Verify(Graph.Parse(cut));
            }
            catch (GraphException exception)
            {
                Assert.Matches(@"^line \d+, column \d+: ", exception.Message);
            }
        }

        Assert.Throws<GraphException>(() => Graph.Parse("graph {" + string.Concat(Enumerable.Repeat(" %0: f32[1] = toolkit::fused([]) {", 100_000))));
    }

    private static void RoundTrip(Graph graph)
    {
        var copy = Graph.Parse(graph.ToText());
        Same(graph, copy);
        Assert.Equal(graph.ToText(), copy.ToText());
    }

    private static void Same(Graph expected, Graph actual)
    {
        Assert.Equal(expected.Inputs.Select(input => (input.Name, input.Type, input.Kind, input.Path)), actual.Inputs.Select(input => (input.Name, input.Type, input.Kind, input.Path)));
        Assert.Equal(expected.Outputs.Select(output => output.Name), actual.Outputs.Select(output => output.Name));
        Assert.Equal(expected.Mutations.Select(mutation => (mutation.Target.Name, mutation.Value.Name)), actual.Mutations.Select(mutation => (mutation.Target.Name, mutation.Value.Name)));
        var values = expected.Values.Zip(actual.Values).ToDictionary(pair => pair.Second, pair => pair.First, ReferenceEqualityComparer.Instance as IEqualityComparer<Value>);
        Assert.Equal(expected.Nodes.Length, actual.Nodes.Length);
        foreach (var (node, copy) in expected.Nodes.Zip(actual.Nodes))
        {
            Assert.Same(node.Operator, copy.Operator);
            Assert.Equal(node.Origin, copy.Origin);
            Assert.Equal(node.Outputs.Select(output => (output.Name, output.Type)), copy.Outputs.Select(output => (output.Name, output.Type)));
            Assert.Equal(node.Arguments, copy.Arguments.Select(argument => argument.Map(value => values[value])));
            Assert.Equal(node.Body is null, copy.Body is null);
            if (node.Body is { } body)
            {
                Same(body, copy.Body!);
            }
        }
    }
}
