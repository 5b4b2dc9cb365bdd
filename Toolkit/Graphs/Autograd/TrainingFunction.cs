using static TorchSharp.torch;

namespace Toolkit.Graphs.Autograd;

/// <summary>The compiled graphs as autograd sees them.</summary>
internal sealed class TrainingFunction : autograd.MultiTensorFunction<TrainingFunction>
{
    private const string Call = "call";

    /// <inheritdoc/>
    public override string Name => "CompiledTraining";

    /// <inheritdoc/>
    public override List<Tensor> forward(autograd.AutogradContext context, params object[] vars)
    {
        var call = (TrainingCall)vars[0];
        var (outputs, others, saved) = call.Variant.RunForward(call.Inputs);
        call.Others = others;
        context.set_materialize_grads(false);
        context.save_data(Call, call);
        context.save_for_backward(saved);
        return outputs;
    }

    /// <inheritdoc/>
    public override List<Tensor> backward(autograd.AutogradContext context, List<Tensor> gradients)
    {
        var call = (TrainingCall)context.get_data(Call);
        return call.Variant.RunBackward(context, call, gradients);
    }
}
