using Toolkit.Graphs;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Capture;

/// <summary>What shares memory in the program shares it when it is compiled; what does not, does not.</summary>
public sealed class AliasTrapTests : InferenceTests
{
    /// <summary>Results as the function makes them; after the call the first is changed in place.</summary>
    private static readonly Dictionary<string, Func<Tensor, Tensor, (Tensor, Tensor)>> _functions = new()
    {
        ["the input itself"] = (x, w) => (x, x + w),
        ["a view of the input"] = (x, w) => (x[.., 0], x + w),
        ["views of views"] = (x, w) => (x.transpose(0, 1).unsqueeze(-1)[1], x.view(-1)),
        ["the parameter"] = (x, w) => (w, x * 2),
        ["a view of the parameter"] = (x, w) => (w.unsqueeze(0), x * 2),
        ["one tensor twice"] = (x, w) => x + w is var y ? (y, y) : default,
        ["a tensor and its view"] = (x, w) => x + w is var y ? (y[0], y) : default,
        ["two views of one"] = (x, w) => (x + w).chunk(2) is { } parts ? (parts[0], parts[1]) : default,
        ["two equal results"] = (x, w) => (x + w, x + w),
        ["a copy"] = (x, w) => (x.clone(), x),
        ["a conversion to the same type"] = (x, w) => (x.to(ScalarType.Float32), x),
        ["a conversion to another"] = (x, w) => (x.to(ScalarType.Float64), x),
        ["what is contiguous"] = (x, w) => (x.contiguous(), x),
        ["dropout that drops nothing"] = (x, w) => (nn.functional.dropout(x, 0.5, training: false), x),
        ["in place"] = (x, w) => (x.add_(w), x * 2),
        ["in place of a view"] = (x, w) => (x[0].mul_(3), x),
        ["a view, then in place"] = (x, w) => x[1] is var row ? (row, x.mul_(2)) : default,
        ["in place of a copy"] = (x, w) => x.clone() is var y ? (y[0].fill_(7), y) : default,
        ["written elements"] = (x, w) =>
        {
            x[.., 1] = x[.., 0] - 3;
            return (x.sum(), x);
        },
        ["copied into"] = (x, w) => (x.copy_(w.expand_as(x)), w),
    };

    public static TheoryData<string> Names => [.. _functions.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void ChangesAreSeenWhereEagerShowsThem(string name)
    {
        var (module, twin) = (new Pair(_functions[name]), new Pair(_functions[name]));
        using var compiled = module.Compile();
        for (var call = 0; call < 3; call++)
        {
            var (x, y) = (arange(12, ScalarType.Float32).view(4, 3), arange(12, ScalarType.Float32).view(4, 3));
            var (expected, actual) = (twin.call(x), compiled.call(y));
            Same();
            expected.Item1.add_(100);
            actual.Item1.add_(100);
            Same();
            expected.Item2.mul_(2);
            actual.Item2.mul_(2);
            Same();

            void Same()
            {
                Compiling.Same(expected.Item1, actual.Item1);
                Compiling.Same(expected.Item2, actual.Item2);
                Compiling.Same(x, y);
                Compiling.Same(twin.W, module.W);
            }
        }

        Compiling.Counts(compiled.Explain(), 1, 2);
    }

    [Fact]
    public void OneTensorGivenTwiceIsNotTwoTensors()
    {
        using var compiled = new Two((a, b) =>
        {
            a.add_(1);
            return a * b;
        }).Compile();
        var (x, y, z) = (ones(3), ones(3), ones(3));
        Compiling.Same(full([3], 2f), compiled.call(x, y));
        Compiling.Same(full([3], 4f), compiled.call(z, z));
        Compiling.Same(full([3], 3f), compiled.call(x, y));
        Compiling.Same(full([3], 9f), compiled.call(z, z));
        Compiling.Counts(compiled.Explain(), 2, 2);
    }

    [Fact]
    public void OverlappingInputsThatAreWrittenAreNotMixedUp()
    {
        using var compiled = new Two((a, b) =>
        {
            a.mul_(2);
            return a + b;
        }).Compile();
        Compiling.Same(full([3], 3f), compiled.call(ones(3), ones(3)));
        var whole = ones(4);
        Compiling.Same(full([3], 4f), compiled.call(whole[..3], whole[..3]));
        var other = ones(4);
        Compiling.Same(tensor(new[] { 4f, 4f, 3f }), compiled.call(other[..3], other[1..]));
        Compiling.Same(tensor(new[] { 2f, 2f, 2f, 1f }), other);
    }

    [Fact]
    public void TwoHandlesOfOneTensorAreNotTakenForItLater()
    {
        using var compiled = new Two((a, b) => a + (2 * b)).Compile();
        var (x, y) = (ones(3), full([3], 5f));
        foreach (var other in new[] { x.contiguous(), y, x.contiguous(), y })
        {
            Compiling.Same(other.mul(2).add(1), compiled.call(x, other));
        }

        Compiling.Counts(compiled.Explain(), 2, 2);
    }

    private sealed class Pair : nn.Module<Tensor, (Tensor, Tensor)>
    {
        private readonly Func<Tensor, Tensor, (Tensor, Tensor)> _function;

        public Pair(Func<Tensor, Tensor, (Tensor, Tensor)> function)
            : base(nameof(Pair))
        {
            _function = function;
            W = nn.Parameter(tensor(new[] { 1f, 2f, 3f }));
            register_parameter("w", W);
        }

        public TorchSharp.Modules.Parameter W { get; }

        public override (Tensor, Tensor) forward(Tensor x) => _function(x, W);
    }

    private sealed class Two(Func<Tensor, Tensor, Tensor> function) : nn.Module<Tensor, Tensor, Tensor>(nameof(Two))
    {
        public override Tensor forward(Tensor a, Tensor b) => function(a, b);
    }
}
