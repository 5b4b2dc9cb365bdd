using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Toolkit.Tests.Graphs.Training;

/// <summary>A program as a module.</summary>
internal sealed class Written : Module<Tensor, Tensor>
{
    private readonly Func<Tensor, Tensor> _program;
    private readonly ModuleList<Module> _layers;

    /// <param name="program">What it computes.</param>
    /// <param name="layers">What it is to own: modules that the program uses.</param>
    public Written(Func<Tensor, Tensor> program, params Module[] layers)
        : base(nameof(Written))
    {
        (_program, _layers) = (program, new(layers));
        RegisterComponents();
    }

    public override Tensor forward(Tensor x) => _program(x);
}
