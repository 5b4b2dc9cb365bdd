using Toolkit.Checkpoints;
using static TorchSharp.torch;

namespace Toolkit.Tests.Models.Naive;

/// <summary>Tensors of a checkpoint by name, as plain arrays.</summary>
internal sealed class NaiveWeights(string folder) : IDisposable
{
    private readonly Checkpoint _checkpoint = Checkpoint.Open(folder);

    public void Dispose() => _checkpoint.Dispose();

    public double[] Vector(string name)
    {
        using var scope = NewDisposeScope();
        return [.. _checkpoint.Load(name).data<float>().ToArray().Select(x => (double)x)];
    }

    public double[][] Matrix(string name)
    {
        using var scope = NewDisposeScope();
        var tensor = _checkpoint.Load(name);
        return [.. tensor.data<float>().ToArray().Select(x => (double)x).Chunk((int)tensor.shape[1])];
    }

    public double[][] Linear(double[][] x, string name) => Plain.Linear(x, Matrix(name + ".weight"), _checkpoint.Contains(name + ".bias") ? Vector(name + ".bias") : null);

    public double[][] LayerNorm(double[][] x, string name) =>
        [.. x.Select(row => Plain.LayerNorm(row, Vector(name + ".weight"), Vector(name + ".bias"), 1e-5))];

    public double[][] RmsNorm(double[][] x, string name, double epsilon, double offset = 0)
    {
        var weight = Vector(name + ".weight");
        return [.. x.Select(row => Plain.RmsNorm(row, weight, epsilon, offset))];
    }
}
