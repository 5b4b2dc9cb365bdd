using Toolkit.Graphs;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Training;

/// <summary>A module, its compiled twin with the same parameters, and inputs.</summary>
internal sealed partial record TrainedCall(nn.Module Module, Func<Tensor> Eager, Func<Tensor> Compiled, Func<CompileReport> Explain, IReadOnlyList<Tensor> Inputs) : IDisposable
{
    private static readonly double[] _weights = [.. Enumerable.Range(0, 97).Select(i => Math.Sin(i * 1.7))];

    public static TrainedCall Of(CompileOptions? options, nn.Module<Tensor, Tensor> module, Tensor x)
    {
        var compiled = module.Compile(options);
        return new(module, () => module.call(x), () => compiled.call(x), compiled.Explain, [x]);
    }

    public static TrainedCall Of(CompileOptions? options, nn.Module<Tensor, Tensor, Tensor> module, Tensor x, Tensor y)
    {
        var compiled = module.Compile(options);
        return new(module, () => module.call(x, y), () => compiled.call(x, y), compiled.Explain, [x, y]);
    }

    /// <summary>A number of what the module gives, by a loss outside of it where it gives more than one.</summary>
    public static Tensor Loss(Tensor result)
    {
        var weights = tensor(Enumerable.Range(0, (int)result.numel()).Select(i => (float)_weights[i % _weights.Length]).ToArray()).view(result.shape);
        return (result * weights).sum();
    }

    /// <summary>What comes out, gradients and buffers, of one step from the same state.</summary>
    public Dictionary<string, Tensor> Step(Func<Tensor> call, int backwards = 1)
    {
        manual_seed(11);
        foreach (var tensor in Module.parameters().Cast<Tensor>().Concat(Inputs.Where(input => input.requires_grad)))
        {
            tensor.grad = null;
        }

        var result = call();
        using (var loss = Loss(result))
        {
            for (var i = 0; i < backwards; i++)
            {
                loss.backward(retain_graph: i < backwards - 1);
            }
        }

        var found = new Dictionary<string, Tensor> { ["result"] = result.detach(), ["next random number"] = rand(1) };
        foreach (var (name, parameter) in Module.named_parameters().Select(p => (p.name, (Tensor)p.parameter)).Concat(Inputs.Select((input, i) => ($"input {i}", input))))
        {
            if (parameter.grad is { } gradient)
            {
                found[name] = gradient.clone();
            }
        }

        foreach (var (name, buffer) in Module.named_buffers())
        {
            found[name] = buffer.clone();
        }

        return found;
    }

    public void Dispose() => Module.Dispose();
}
