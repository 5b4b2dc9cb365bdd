using Toolkit.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Training;

public sealed class AdamWTests
{
    [Theory]
    [InlineData(0.1)]
    [InlineData(0.0)]
    public void The_fused_operator_is_the_textbook_update(double weightDecay)
    {
        using var scope = NewDisposeScope();
        var options = new TrainingOptions { WeightDecay = weightDecay, Beta1 = 0.85, Beta2 = 0.97, Epsilon = 1e-7 };
        long[][] shapes = [[17, 33], [40], [64, 8], [3], [1, 1]];
        using var generator = new Generator(3);
        Tensor[] parameters = [.. shapes.Select(shape => randn(shape, generator: generator))];
        Tensor[] expected = [.. parameters.Select(p => p.clone())];
        Tensor[] m = [.. expected.Select(p => zeros_like(p))], v = [.. expected.Select(p => zeros_like(p))];
        using var gradients = new FlatTensors(parameters, ScalarType.Float32);
        using var adam = new AdamW([.. parameters.Select((p, i) => ($"p{i}", p))], gradients, options);
        for (var step = 1; step <= 6; step++)
        {
            var learningRate = 0.02 / step;
            for (var i = 0; i < parameters.Length; i++)
            {
                var g = randn(shapes[i], generator: generator).mul(step);
                gradients.Views[i].copy_(g);
                var decay = shapes[i].Length >= 2 ? weightDecay : 0;
                m[i] = (m[i] * options.Beta1) + (g * (1 - options.Beta1));
                v[i] = (v[i] * options.Beta2) + (g * g * (1 - options.Beta2));
                var mean = m[i] / (1 - Math.Pow(options.Beta1, step));
                var root = (v[i] / (1 - Math.Pow(options.Beta2, step))).sqrt();
                expected[i] = (expected[i] * (1 - (learningRate * decay))) - (mean / (root + options.Epsilon) * learningRate);
            }

            adam.Step(step, learningRate);
            Assert.All(parameters.Zip(expected), pair => Assert.InRange((pair.First - pair.Second).abs().max().item<float>(), 0, 1e-6f));
        }
    }

    [Fact]
    public void Flat_tensors_have_the_norm_of_all_their_parts_and_are_scaled_as_one()
    {
        using var scope = NewDisposeScope();
        Tensor[] like = [empty(300, 301), empty(7), empty(70_001)];
        using var flat = new FlatTensors(like, ScalarType.Float32);
        Assert.Equal(0, flat.Norm());
        var sum = 0.0;
        foreach (var (view, shape) in flat.Views.Zip(like.Select(t => t.shape)))
        {
            Assert.Equal(shape, view.shape);
            view.copy_(randn(shape));
            sum += view.to(ScalarType.Float64).pow(2).sum().item<double>();
        }

        Assert.Equal(Math.Sqrt(sum), flat.Norm(), 1e-4);
        flat.Scale(0.5);
        Assert.Equal(Math.Sqrt(sum) / 2, flat.Norm(), 1e-4);
        flat.Views[1][0] = float.NaN;
        Assert.True(double.IsNaN(flat.Norm()));
        flat.Zero();
        Assert.Equal(0, flat.Norm());
    }
}
