using Toolkit.Display;
using Toolkit.Graphs;
using Toolkit.Graphs.Autograd;
using Toolkit.Graphs.Dispatch;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Toolkit.Tests.Graphs.Training;

/// <summary>What a report says of calls of native code in a module that is trained.</summary>
[Collection(nameof(SharedGeneratorTests))]
public sealed class TrainingReportTests
{
    [Fact]
    public void Calls_that_are_trained_by_their_operations_are_not_opaque()
    {
        using var scope = NewDisposeScope();
        using var module = new Reader();
        using var compiled = module.Compile();
        Train(compiled);
        var report = compiled.Explain();
        Assert.Empty(report.OpaqueCalls);
        Assert.Equal(["Embedding.forward", "LSTM.forward"], report.OpenedCalls.Select(call => call.Split(' ')[0]));
        Assert.Contains("trained by its own operations: Embedding.forward", report.ToString());
        var graph = compiled.TrainingGraph!.Graph;
        Assert.DoesNotContain(graph.Nodes, node => node.Operator.Name.StartsWith("torchsharp::", StringComparison.Ordinal));
        Assert.Contains(graph.Nodes, node => node.Operator.Name == "aten::embedding_dense_backward");

        // Shown with the kernels of both passes.
        var shown = Formatter.Format(compiled).Plain;
        Assert.All(compiled.Kernels.Select(kernel => kernel.Name).Distinct().Take(20), name => Assert.Contains(name, shown));
    }

    [Fact]
    public void Calls_that_run_operation_by_operation_are_opaque()
    {
        using var off = DispatcherCapture.TurnOff("it is turned off");
        using var scope = NewDisposeScope();
        using var module = new Reader();
        using var compiled = module.Compile();
        Train(compiled);
        var report = compiled.Explain();
        Assert.Equal(2, report.OpaqueCalls.Length);
        Assert.Empty(report.OpenedCalls);
        Assert.Null(compiled.TrainingGraph);
    }

    private static void Train(Module<Tensor, Tensor> compiled)
    {
        for (var i = 0; i < 2; i++)
        {
            compiled.call(randint(0, 9, [2, 3])).sum().backward();
        }
    }

    private sealed class Reader : Module<Tensor, Tensor>
    {
        private readonly Embedding _table = Embedding(9, 4);
        private readonly LSTM _cells = LSTM(4, 4, batchFirst: true);

        public Reader()
            : base(nameof(Reader)) => RegisterComponents();

        public override Tensor forward(Tensor ids) => _cells.call(_table.call(ids)).Item1;
    }
}
