using Toolkit.Layers;
using Toolkit.Models;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>The compiled steps of one state that look at so many positions.</summary>
internal sealed class DecodeStep : IDisposable
{
    private readonly StepModule _step;
    private readonly Tensor _position;

    public DecodeStep(CausalModel model, DecodeState state, int span, CompileOptions options)
    {
        (_step, Span) = (new StepModule(model, state, span), span);
        Module = _step.Compile<Tensor, Tensor, Tensor>(options);
        _position = zeros(1, ScalarType.Int64, model.Embedding.Weight.device).DetachFromDisposeScope();
    }

    /// <summary>The class that is captured; it has the model's parameters.</summary>
    public static Type Kind => typeof(StepModule);

    /// <summary>How many positions of the state are looked at.</summary>
    public int Span { get; }

    /// <summary>The step as a compiled module.</summary>
    public CompiledModule<Tensor, Tensor, Tensor> Module { get; }

    /// <summary>Whether a graph of it cannot be made: the model is faster at it as it is.</summary>
    public bool IsEager { get; private set; }

    /// <summary>(B, 1) of int64 to (B, 1, V).</summary>
    public Tensor Run(Tensor ids, long position)
    {
        using (var number = position.ToScalar())
        {
            _position.fill_(number);
        }

        var isFirst = !_isTried;
        _isTried = true;
        var logits = Module.forward(ids, _position);
        IsEager |= isFirst && Module.Explain().Graphs.Length == 0;
        return logits;
    }

    public void Dispose()
    {
        Module.Dispose();
        _step.Dispose();
        _position.Dispose();
    }

    private bool _isTried;

    /// <summary>What is captured: the model's step with its state. It owns nothing.</summary>
    private sealed class StepModule(CausalModel model, DecodeState state, int span) : nn.Module<Tensor, Tensor, Tensor>(nameof(StepModule))
    {
        private bool _isDisposed;

        public override Tensor forward(Tensor ids, Tensor position) => model.ForwardAt(ids, position, state, span);

        public override IEnumerable<(string name, Parameter parameter)> named_parameters(bool recurse = true) => _isDisposed ? [] : model.named_parameters(recurse);

        public override IEnumerable<(string name, nn.Module module)> named_modules() => _isDisposed ? [] : model.named_modules();

        protected override void Dispose(bool disposing)
        {
            _isDisposed = true; // TorchSharp frees what a module names
            base.Dispose(disposing);
        }
    }
}
