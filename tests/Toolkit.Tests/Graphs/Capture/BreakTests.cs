using System.Diagnostics;
using System.Runtime.InteropServices;
using Toolkit.Graphs;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Capture;

/// <summary>What capture cannot go past: the result is still the module's own, the report says where and what to write instead, and where the whole graph was asked for it is an error.</summary>
public sealed class BreakTests : InferenceTests
{
    private static readonly Random _random = new(3);
    private static readonly List<Tensor> _kept = [];

    private static readonly Dictionary<string, (Func<Tensor, Tensor> Forward, string Reason)> _forwards = new()
    {
        ["item"] = (x => x.sum().item<float>() > 0 ? x * 2 : x - 1, "item"),
        ["ToSingle"] = (x => x.sum().ToSingle() > 0 ? x * 2 : x - 1, "ToSingle"),
        ["a conversion"] = (x => (float)x.sum() > 0 ? x * 2 : x - 1, "op_Explicit"),
        ["bool"] = (x => (bool)x.sum().gt(0) ? x * 2 : x - 1, "converted to bool"),
        ["data"] = (x => x.data<float>()[0] > 0 ? x * 2 : x - 1, "data"),
        ["bytes"] = (x => x.bytes[3] < 128 ? x * 2 : x - 1, "bytes"),
        ["a text"] = (x => x.sum().str().Contains('-') ? x - 1 : x * 2, "str"),
        ["an interpolated tensor"] = (x => $"{x}".Length > 0 ? x * 2 : x, "ToString"),
        ["equality"] = (x => x.Equals(x.abs()) ? x * 2 : x - 1, "Equals"),
        ["closeness"] = (x => x.allclose(x.abs()) ? x * 2 : x - 1, "allclose"),
        ["a record of tensors"] = (x => new Point(x, 1) == new Point(x.clone(), 1) ? x * 2 : x - 1, ""),
        ["a mask"] = (x => x[x.gt(0)].sum() + x, "mask"),
        ["nonzero"] = (x => x.gt(0).nonzero().sum() + x, "nonzero"),
        ["masked_select"] = (x => x.masked_select(x.gt(0)).sum() + x, "masked_select"),
        ["a random number"] = (x => x * _random.Next(), "Random.Next"),
        ["a shared random number"] = (x => x * Random.Shared.NextDouble(), "Random"),
        ["a new random number"] = (x => x * new Random().NextDouble(), "Random"),
        ["the time"] = (x => x * (DateTime.UtcNow.Ticks % 99991), "DateTime.UtcNow"),
        ["a watch"] = (x => x * (Stopwatch.GetTimestamp() % 99991), "Stopwatch"),
        ["ticks"] = (x => x * Environment.TickCount64, "Environment"),
        ["an identity"] = (x => x * Guid.NewGuid().ToByteArray()[0], "Guid"),
        ["threads"] = (x =>
        {
            var sum = x;
            Parallel.For(0, 1, _ => sum = x * 2);
            return sum;
        }, "Parallel"),
        ["a task"] = (x => Task.Run(() => x * 2).GetAwaiter().GetResult(), ""),
        ["an outer list"] = (x =>
        {
            _kept.Add(x * 2);
            return _kept[^1] + 0;
        }, "List"),
        ["reflection"] = (x => (Tensor)typeof(BreakTests).GetMethod(nameof(Doubled))!.Invoke(null, [x])!, "Invoke"),
        ["a pointer"] = (Pinned, "pin"),
        ["a seed"] = (x =>
        {
            manual_seed(4);
            return x * 2;
        }, "manual_seed"),
        ["a new module"] = (x => nn.Linear(2, 2).call(x), "Linear"),
        ["gradients"] = (x =>
        {
            using var _ = enable_grad();
            var leaf = x.detach().requires_grad_(true);
            leaf.pow(2).sum().backward();
            return leaf.grad! + x;
        }, ""),
    };

    public static TheoryData<string> Names => [.. _forwards.Keys];

    public static Tensor Doubled(Tensor x) => x * 2;

    [Theory]
    [MemberData(nameof(Names))]
    public void WhatIsNotCapturedRunsAsItIsAndIsReported(string name)
    {
        var (forward, reason) = _forwards[name];
        using var compiled = new Written(forward).Compile();
        var isFixed = !name.Contains("random", StringComparison.Ordinal) && name is not "a new module" and not ("the time" or "a watch" or "ticks" or "an identity");
        var results = new HashSet<string>();
        foreach (var x in new[] { tensor(new[] { 1f, 2f }), tensor(new[] { -1f, -2f }), tensor(new[] { 1f, 2f }), tensor(new[] { -1f, -2f }) })
        {
            var result = compiled.call(x);
            results.Add(string.Join(' ', result.data<float>().ToArray()));
            if (isFixed)
            {
                Compiling.Same(forward(x), result);
            }
        }

        Assert.True(isFixed || results.Count > 2 || name == "ticks", "a number that changes stayed");
        var report = compiled.Explain();
        Assert.NotEmpty(report.Breaks);
        var graphBreak = Array.Find([.. report.Breaks], entry => entry.Origin.File is not null && entry.Reason.Contains(reason, StringComparison.OrdinalIgnoreCase));
        Assert.True(graphBreak is not null, report.ToString());
        Assert.NotEqual("", graphBreak.Advice);
        Assert.EndsWith("BreakTests.cs", graphBreak.Origin.File, StringComparison.Ordinal);
        Assert.True(graphBreak.Origin.Line > 10, graphBreak.ToString());
        Assert.Contains("BreakTests", graphBreak.Origin.Method, StringComparison.Ordinal);
        using var whole = new Written(forward).Compile(new CompileOptions { FullGraph = true });
        var exception = Assert.Throws<GraphBreakException>(() => whole.call(ones(2)));
        Assert.Equal(graphBreak.Reason, exception.Break.Reason);
    }

    [Fact]
    public void MasksThatAreWrittenThroughAreNoBreak()
    {
        using var compiled = new Written(x => x.masked_fill(x.lt(0), 0) + x.where(x.gt(1), x * 3)).Compile(new CompileOptions { FullGraph = true });
        Compiling.Agrees(compiled, randn(4, 3));
        Compiling.Counts(compiled.Explain(), 1, 1);
    }

    [Fact]
    public void ExceptionsOfTheProgramComeOutAsTheyAre()
    {
        Func<Tensor, Tensor> forward = x => x.shape[0] switch
        {
            1 => x * 2,
            2 => throw new NotSupportedException($"batches of {x.shape[0]} are not for {nameof(BreakTests)}"),
            _ => throw new ArgumentOutOfRangeException(nameof(x), x.shape[0], "too many"),
        };
        using var compiled = new Written(forward).Compile();
        Compiling.Agrees(compiled, ones(1, 2));
        for (var call = 0; call < 2; call++)
        {
            foreach (var rows in new[] { 2, 3 })
            {
                var expected = Record(() => forward(ones(rows, 2)));
                var actual = Record(() => compiled.call(ones(rows, 2)));
                Assert.Equal((expected.GetType(), expected.Message), (actual.GetType(), actual.Message));
            }
        }

        Compiling.Agrees(compiled, ones(1, 2));
        static Exception Record(Func<Tensor> call) => Xunit.Record.Exception(call)!;
    }

    [Fact]
    public void WrongShapesAreTheErrorsOfLibtorch()
    {
        using var module = nn.Linear(4, 3);
        using var compiled = module.Compile(randn(2, 4));
        var expected = Assert.Throws<ExternalException>(() => module.call(randn(2, 5)));
        for (var i = 0; i < 2; i++)
        {
            var actual = Assert.Throws<ExternalException>(() => compiled.call(randn(2, 5)));
            Assert.Equal(expected.Message.Split('\n')[0], actual.Message.Split('\n')[0]);
        }

        Compiling.Agrees(compiled, randn(2, 4));
    }

    [Fact]
    public void ExceptionsOfTheProgramShowItsLines()
    {
        using var compiled = new Written(x => Viewed(x * 2)).Compile();
        var problem = Assert.Throws<ExternalException>(() => compiled.call(ones(2, 3)));
        Assert.Contains($"{nameof(BreakTests)}.{nameof(Viewed)}(Tensor x)", problem.StackTrace);
        Assert.Contains("BreakTests.cs:line", problem.StackTrace);
        Compiling.Agrees(compiled, ones(7));
    }

    [Fact]
    public void ACallThatThrowsIsNotMadeAgainAfterWhatItChanged()
    {
        var counter = zeros(1);
        using var compiled = new Written(x =>
        {
            counter.add_(1);
            return Viewed(x);
        }).Compile();
        Assert.Throws<ExternalException>(() => compiled.call(ones(2, 3)));
        Assert.Equal(1, counter.item<float>());
    }

    [Fact]
    public void VariablesOfTheProgramAreNotCalledArguments()
    {
        using var compiled = new Timed().Compile();
        for (var call = 0; call < 3; call++)
        {
            compiled.call(ones(2));
        }

        Assert.Contains("a local variable is the same Stopwatch", compiled.Explain().Recompiles);
    }

    [Fact]
    public void TextsAreArgumentsLikeOthers()
    {
        using var module = new Named();
        using var compiled = module.Compile(ones(2), "double");
        foreach (var name in new[] { "double", "half", "double" })
        {
            Compiling.Same(module.call(ones(2), name), compiled.call(ones(2), name));
        }

        Compiling.Counts(compiled.Explain(), 2, 2);
        Assert.Contains("argument 1 is \"double\"", compiled.Explain().Recompiles[0]);
    }

    [Fact]
    public void ErrorsThatTheProgramCatchesAreItsOwnMatter()
    {
        using var compiled = new Written(x =>
        {
            try
            {
                return cat([x, x.transpose(0, 1)]);
            }
            catch (ExternalException)
            {
                return cat([x, x * 2]);
            }
        }).Compile();
        Compiling.Agrees(compiled, randn(2, 3));
        Compiling.Agrees(compiled, randn(3, 3));
        Compiling.Counts(compiled.Explain(), 2, 2);
    }

    [Fact]
    public void InterruptionIsNeitherCapturedNorABreak()
    {
        using var compiled = new Written(x =>
        {
            Interruption.ThrowIfRequested();
            return x * 2;
        }).Compile(new CompileOptions { FullGraph = true });
        Compiling.Agrees(compiled, ones(3));
        Compiling.Counts(compiled.Explain(), 1, 1);
    }

    [Fact]
    public void TablesMadeByAStaticConstructorInsideOfACallAreInputs()
    {
        using var compiled = new Written(x => x + Table.Values + Table.Scale).Compile(new CompileOptions { FullGraph = true });
        Compiling.Agrees(compiled, ones(4));
        Assert.DoesNotContain(compiled.Graph.Nodes, node => node.Operator.Name is "aten::arange.start_step" or "aten::mul.Scalar");
        Table.Scale = 5;
        Compiling.Agrees(compiled, ones(4));
    }

    [Fact]
    public void OperationsWithoutMetaKernelsAreCaptured()
    {
        using var compiled = new Written(x =>
        {
            var y = nn.functional.layer_norm(x, [4]).abs().relu();
            y = nn.functional.batch_norm(y, zeros(3), ones(3), eps: 1e-3);
            y = nn.functional.conv1d(y, ones(2, 3, 3), padding: 1).index_select(1, tensor(new long[] { 1, 0 }));
            return nn.functional.scaled_dot_product_attention(y, y, y, zeros(2, 2).masked_fill(ones(2, 2).triu(1).to(ScalarType.Bool), float.NegativeInfinity));
        }).Compile(new CompileOptions { FullGraph = true });
        Compiling.Agrees(compiled, randn(2, 3, 4));
        Assert.Empty(compiled.Explain().OpaqueCalls);
    }

    private static Tensor Viewed(Tensor x) => x.view(7);

    private static unsafe Tensor Pinned(Tensor x)
    {
        var numbers = new[] { 1f, 2f };
        fixed (float* first = numbers)
        {
            return x * first[1];
        }
    }

    private sealed class Timed() : nn.Module<Tensor, Tensor>(nameof(Timed))
    {
        private readonly List<TimeSpan> _times = [];

        public override Tensor forward(Tensor x)
        {
            var watch = Stopwatch.StartNew();
            var y = x.exp();
            _times.Add(watch.Elapsed);
            return y;
        }
    }

    private sealed class Named() : nn.Module<Tensor, string, Tensor>(nameof(Named))
    {
        public override Tensor forward(Tensor x, string name) => x * (name == "double" ? 2 : 0.5);
    }

    private sealed record Point(Tensor Place, int Name);

    private static class Table
    {
        public static readonly Tensor Values = (arange(4, ScalarType.Float32) * 2).DetachFromDisposeScope();

        public static double Scale { get; set; } = 2;
    }
}
