using Toolkit.Models;
using Toolkit.Ops;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Training;

/// <summary>
/// The model that runs forward and backward, and float32 gradients for the parameters of the model that is trained. In float32 the two models
/// are one; otherwise the first is a copy in the lower precision.
/// </summary>
internal sealed class TrainingModel : IDisposable
{
    private readonly CausalModel _trained;
    private readonly CausalModel _runs;
    private readonly FlatTensors? _narrowGradients;

    public TrainingModel(CausalModel model, TrainingPrecision precision)
    {
        _trained = model;
        Parameters = [.. model.named_parameters().Select(p => (p.name, (Tensor)p.parameter))];
        if (Parameters.FirstOrDefault(p => p.Tensor.dtype != ScalarType.Float32) is { Name: not null } other)
        {
            throw new ArgumentException(
                $"weights are trained in float32, but {other.Name} is {other.Tensor.dtype}: load the model as float32 and ask for the precision in the options");
        }

        Gradients = new FlatTensors([.. Parameters.Select(p => p.Tensor)], ScalarType.Float32);
        if (precision == TrainingPrecision.Float32)
        {
            _runs = model;
            Attach(model, Gradients);
            return;
        }

        _runs = model.EmptyCopy(ScalarType.BFloat16);
        _runs.to(Parameters[0].Tensor.device);
        _narrowGradients = new FlatTensors([.. _runs.parameters()], ScalarType.BFloat16);
        Attach(_runs, _narrowGradients);
        Refresh();
    }

    /// <summary>The parameters of the model that is trained.</summary>
    public IReadOnlyList<(string Name, Tensor Tensor)> Parameters { get; }

    /// <summary>Their gradients: the sum over the calls of <see cref="Backward"/> since they were zeroed.</summary>
    public FlatTensors Gradients { get; }

    public long WeightBytes => _trained.ParameterBytes + (_narrowGradients is null ? 0 : _runs.ParameterBytes);

    public long GradientBytes => Gradients.Bytes + (_narrowGradients?.Bytes ?? 0);

    /// <summary>The loss of a batch; it belongs to the caller's scope.</summary>
    public Tensor Loss(Tensor inputs, Tensor targets) => _runs.Loss(inputs, targets);

    /// <summary>Adds the gradient of a loss.</summary>
    public void Backward(Tensor loss)
    {
        loss.backward();
        GC.KeepAlive(loss);
        if (_narrowGradients is not null)
        {
            using var scope = NewDisposeScope();
            using var noGradient = no_grad();
            Gradients.Flat.add_(_narrowGradients.Flat, Scalars.One);
            _narrowGradients.Zero();
        }
    }

    /// <summary>Brings changed weights to the copy, if there is one.</summary>
    public void Refresh()
    {
        if (_narrowGradients is null)
        {
            return;
        }

        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        foreach (var (copy, (_, tensor)) in _runs.parameters().Zip(Parameters))
        {
            copy.copy_(tensor);
        }
    }

    public void Dispose()
    {
        foreach (var parameter in _runs.parameters())
        {
            parameter.grad = null;
        }

        Gradients.Dispose();
        _narrowGradients?.Dispose();
        if (!ReferenceEquals(_runs, _trained))
        {
            _runs.Dispose();
        }
    }

    /// <summary>Autograd adds to a gradient that is there: the views stay where they are for the whole run.</summary>
    private static void Attach(CausalModel model, FlatTensors gradients)
    {
        foreach (var (parameter, gradient) in model.parameters().Zip(gradients.Views))
        {
            parameter.grad = gradient;
        }
    }
}
