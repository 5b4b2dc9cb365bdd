using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Scripting;
using Microsoft.CodeAnalysis.Scripting;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Zoo;

/// <summary>Modules that are compiled while the program runs, as the cell of a notebook is.</summary>
internal static class ScriptModules
{
    private const string Cells = """
        using System.Linq;
        using TorchSharp;
        using TorchSharp.Modules;
        using static TorchSharp.torch;
        using static TorchSharp.torch.nn;

        int hidden = 24;
        Tensor Swish(Tensor x) => x * x.sigmoid();

        public sealed class Net : Module<Tensor, Tensor>
        {
            private readonly Linear first;
            private readonly ModuleList<Linear> rest;
            private readonly System.Func<Tensor, Tensor> activation;

            public Net(int width, int hidden, System.Func<Tensor, Tensor> activation) : base("Net")
            {
                first = Linear(width, hidden);
                rest = new ModuleList<Linear>(Enumerable.Range(0, 2).Select(_ => Linear(hidden, hidden)).ToArray());
                this.activation = activation;
                RegisterComponents();
            }

            public override Tensor forward(Tensor x)
            {
                var y = activation(first.forward(x));
                foreach (var layer in rest)
                {
                    y = y + activation(layer.forward(y)) / rest.Count;
                }

                System.ReadOnlySpan<Tensor> parts = [y, y.tanh()];
                y = parts[0] + parts[1];
                return y.shape[0] > 1 ? y : y * 2;
            }
        }

        (Module<Tensor, Tensor>)new Net(16, hidden, Swish)
        """;

    /// <summary>Runs the cell.</summary>
    public static nn.Module<Tensor, Tensor> Make(OptimizationLevel level)
    {
        var options = ScriptOptions.Default.WithReferences(typeof(torch).Assembly, typeof(Enumerable).Assembly).WithOptimizationLevel(level).WithEmitDebugInformation(level == OptimizationLevel.Debug);
        return (nn.Module<Tensor, Tensor>)CSharpScript.EvaluateAsync<object>(Cells, options).GetAwaiter().GetResult();
    }
}
