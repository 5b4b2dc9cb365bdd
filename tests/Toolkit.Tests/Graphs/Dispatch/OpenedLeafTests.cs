using Toolkit.Graphs;
using Toolkit.Graphs.Dispatch;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Toolkit.Tests.Graphs.Dispatch;

/// <summary>Modules of native code in a captured graph: opened where the dispatcher can be reached, calls where not, and the same numbers either way.</summary>
[Collection(nameof(SharedGeneratorTests))]
public sealed class OpenedLeafTests
{
    private static readonly Dictionary<string, Func<(Module<Tensor, Tensor> Module, Tensor X)>> _cases = new()
    {
        ["LSTM"] = () => (new Around(LSTM(6, 8, 2, batchFirst: true), (m, x) => Sum(((LSTM)m).call(x))), randn(2, 5, 6)),
        ["LSTM, both ways"] = () => (new Around(LSTM(6, 8, bidirectional: true), (m, x) => ((LSTM)m).call(x).Item1), randn(5, 2, 6)),
        ["GRU"] = () => (new Around(GRU(6, 8), (m, x) => ((GRU)m).call(x).Item1), randn(5, 2, 6)),
        ["RNN"] = () => (new Around(RNN(6, 8), (m, x) => ((RNN)m).call(x).Item2), randn(5, 2, 6)),
        ["LSTMCell"] = () => (new Around(LSTMCell(6, 8), Loop), randn(4, 2, 6)),
        ["GRUCell"] = () => (new Around(GRUCell(6, 8), (m, x) => ((GRUCell)m).call(x, zeros(2, 8))), randn(2, 6)),
        ["RNNCell"] = () => (new Around(RNNCell(6, 8), (m, x) => ((RNNCell)m).call(x, zeros(2, 8))), randn(2, 6)),
        ["MultiheadAttention, no weights"] = () => (new Around(MultiheadAttention(16, 4), (m, x) => ((MultiheadAttention)m).call(x, x, x, null, false, null).Item1), randn(5, 2, 16)),
        ["MultiheadAttention"] = () => (new Around(MultiheadAttention(16, 4), (m, x) => ((MultiheadAttention)m).call(x, x, x, null, true, null).Item1), randn(5, 2, 16)),
        ["TransformerEncoderLayer"] = () => (new Around(TransformerEncoderLayer(16, 4, 32, 0.1), (m, x) => ((TransformerEncoderLayer)m).call(x, null, null)), randn(5, 2, 16)),
        ["TransformerEncoder"] = () => (new Around(TransformerEncoder(TransformerEncoderLayer(16, 4, 32, 0), 2), (m, x) => ((TransformerEncoder)m).call(x, null, null)), randn(5, 2, 16)),
        ["TransformerDecoderLayer"] = () => (new Around(TransformerDecoderLayer(16, 4, 32, 0), (m, x) => ((TransformerDecoderLayer)m).call(x, x)), randn(5, 2, 16)),
        ["EmbeddingBag"] = () => (new Around(EmbeddingBag(9, 4), (m, x) => ((EmbeddingBag)m).call(x)), randint(0, 9, [3, 4])),
        ["CrossEntropyLoss"] = () => (new Around(CrossEntropyLoss(), (m, x) => ((CrossEntropyLoss)m).call(x, x.argmax(1))), randn(5, 4)),
        ["NLLLoss"] = () => (new Around(NLLLoss(), (m, x) => ((NLLLoss)m).call(x.log_softmax(1), x.argmin(1))), randn(5, 4)),
        ["MSELoss"] = () => (new Around(MSELoss(), (m, x) => ((MSELoss)m).call(x, x * x)), randn(5, 4)),
        ["BCEWithLogitsLoss"] = () => (new Around(BCEWithLogitsLoss(), (m, x) => ((BCEWithLogitsLoss)m).call(x, x.sigmoid())), randn(5, 4)),
        ["SmoothL1Loss"] = () => (new Around(SmoothL1Loss(), (m, x) => ((SmoothL1Loss)m).call(x, x * x)), randn(5, 4)),
        ["KLDivLoss"] = () => (new Around(KLDivLoss(), (m, x) => ((KLDivLoss)m).call(x.log_softmax(1), x.softmax(0))), randn(5, 4)),
        ["CTCLoss"] = () => (new Around(CTCLoss(), (m, x) => ((CTCLoss)m).call(x.log_softmax(2), ones(2, 3, ScalarType.Int64), full([2], 6, ScalarType.Int64), full([2], 3, ScalarType.Int64))), randn(6, 2, 5)),
    };

    public static TheoryData<string> Names => [.. _cases.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Compiled_is_eager_with_the_call_opened(string name)
    {
        using var scope = NewDisposeScope();
        using var still = no_grad();
        manual_seed(5);
        var (module, x) = _cases[name]();
        using var compiled = module.Compile(x, name is "GRUCell" or "MultiheadAttention" or "CrossEntropyLoss" ? null : new CompileOptions { Backend = graph => new DispatcherExecutor(graph) });
        var report = compiled.Explain();
        Assert.True(report.Graphs.Length == 1 && report.OpaqueCalls.Length == (name == "CTCLoss" ? 1 : 0), report.ToString());
        foreach (var input in new[] { x, x.is_floating_point() ? randn(x.shape) : x.flip(0) })
        {
            AssertSame(module, compiled, input);
        }

        // An optimizer's step, another mode and other weights are seen.
        foreach (var parameter in module.parameters())
        {
            parameter.mul_(0.9);
        }

        AssertSame(module, compiled, x);
        module.train(!module.training);
        AssertSame(module, compiled, x);
        module.Dispose();
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Compiled_is_eager_with_the_dispatcher_off(string name)
    {
        using var off = DispatcherCapture.TurnOff("libtorch has no symbol x");
        using var scope = NewDisposeScope();
        using var still = no_grad();
        manual_seed(5);
        var (module, x) = _cases[name]();
        using var compiled = module.Compile(x, new CompileOptions { Mode = CompileMode.Captured });
        AssertSame(module, compiled, x);
        var report = compiled.Explain();
        Assert.True(report.Graphs.Length == 1, report.ToString());
        if (name is "LSTMCell" or "GRUCell")
        {
            Assert.Empty(report.OpaqueCalls); // these have operators of their own
            return;
        }

        Assert.Contains(report.OpaqueCalls, call => call.EndsWith("ATen operations cannot be recorded: libtorch has no symbol x", StringComparison.Ordinal));
        module.Dispose();
    }

    [Fact]
    public void A_replaced_parameter_of_a_native_module_is_seen()
    {
        using var scope = NewDisposeScope();
        using var still = no_grad();
        using var cell = GRUCell(6, 8);
        using var module = new Around(cell, (m, x) => ((GRUCell)m).call(x, zeros(2, 8)));
        var x = randn(2, 6);
        using var compiled = module.Compile(x);
        cell.weight_ih = new Parameter(randn(24, 6));
        AssertSame(module, compiled, x);
        AssertSame(module, compiled, x);
    }

    /// <summary>Both give the same, dropout included.</summary>
    private static void AssertSame(Module<Tensor, Tensor> module, Module<Tensor, Tensor> compiled, Tensor x)
    {
        manual_seed(1);
        var expected = module.call(x);
        manual_seed(1);
        var actual = compiled.call(x);
        Assert.Equal(expected.shape, actual.shape);
        Assert.True((expected - actual).abs().max().ToDouble() <= 1e-5 * Math.Max(1, expected.abs().max().ToDouble()), $"off by {(expected - actual).abs().max().ToDouble()}");
    }

    private static Tensor Sum((Tensor Y, Tensor H, Tensor C) made) => made.Y + made.H[1].unsqueeze(1) * made.C.sum();

    private static Tensor Loop(nn.Module cell, Tensor x)
    {
        var (h, c) = (x.new_zeros(2, 8), x.new_zeros(2, 8));
        for (var t = 0; t < x.shape[0]; t++)
        {
            (h, c) = ((LSTMCell)cell).call(x[t], (h, c));
        }

        return h * c;
    }

    private sealed class Around : Module<Tensor, Tensor>
    {
        private readonly nn.Module _inner;
        private readonly Func<nn.Module, Tensor, Tensor> _call;

        public Around(nn.Module inner, Func<nn.Module, Tensor, Tensor> call)
            : base(nameof(Around))
        {
            (_inner, _call) = (inner, call);
            register_module("inner", inner);
        }

        public override Tensor forward(Tensor x) => _call(_inner, x);
    }
}
