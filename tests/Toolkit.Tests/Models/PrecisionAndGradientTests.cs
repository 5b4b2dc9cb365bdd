using Toolkit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Models;

/// <summary>Every family can be trained and can be held in bfloat16.</summary>
public sealed class PrecisionAndGradientTests : IDisposable
{
    private const string Mixtral =
        """{"model_type":"mixtral","vocab_size":50,"hidden_size":32,"intermediate_size":48,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"num_local_experts":3}""";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("precision");

    public static TheoryData<string, string> Models { get; } = [.. FamilyTests.Models, ("mixtral", Mixtral)];

    public void Dispose() => _folder.Delete(recursive: true);

    /// <summary>The loss falls along its gradient as fast as the gradient says.</summary>
    [Theory]
    [MemberData(nameof(Models))]
    public void TheGradientIsTheSlope(string name, string json)
    {
        // A token that changes its experts on the way is a jump of the loss: a short way passes none.
        var step = name.StartsWith("mixtral", StringComparison.Ordinal) ? 2e-4 : 2e-3;
        using var scope = NewDisposeScope();
        using var model = FamilyTests.Make(json, _folder.FullName);
        using var generator = new Generator(5);
        var (ids, targets) = (randint(0, 50, [2, 12], int64, generator: generator), randint(0, 50, [2, 12], int64, generator: generator));
        var loss = model.Loss(ids, targets);
        Assert.Equal(nn.functional.cross_entropy(model.forward(ids).view(-1, 50), targets.view(-1)).item<float>(), loss.item<float>(), 1e-4f);
        loss.backward();
        Assert.All(model.named_parameters(), p => Assert.True(p.parameter.grad is not null || p.name.Contains("experts"), p.name));
        var gradients = model.parameters().Select(p => p.grad ?? zeros_like(p)).ToArray();
        var length = Math.Sqrt(gradients.Sum(g => (double)g.square().sum().item<float>()));
        double At(double way)
        {
            using var noGradient = no_grad();
            foreach (var (parameter, gradient) in model.parameters().Zip(gradients))
            {
                parameter.add_(gradient, (way / length).ToScalar());
            }

            return model.Loss(ids, targets).item<float>();
        }

        var (ahead, behind) = (At(step), At(-2 * step));
        var slope = (ahead - behind) / (2 * step);
        TestContext.Current.TestOutputHelper?.WriteLine($"{name}: gradient {length:0.0000}, slope {slope:0.0000}");
        Assert.InRange(slope / length, 0.97, 1.03);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void BFloat16IsCloseAndItsCacheAndPaddingWork(string name, string json)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        using var model = FamilyTests.Make(json, _folder.FullName);
        using var narrow = Decoder.Load(_folder.FullName, ScalarType.BFloat16);
        using var generator = new Generator(5);
        var ids = randint(0, 50, [2, 30], int64, generator: generator);
        // Rounding sends some token to another expert.
        var most = name == "mixtral" ? 0.12 : 0.05;
        var (wide, half) = (model.forward(ids), narrow.forward(ids));
        Assert.Equal(ScalarType.BFloat16, half.dtype);
        var error = Norm(half.to(ScalarType.Float32).sub(wide)) / Norm(wide);
        TestContext.Current.TestOutputHelper?.WriteLine($"{name}: {error:0.000}");
        Assert.InRange(error, 1e-4, most);
        using var cache = narrow.NewCache(2, 30);
        var mask = ones_like(ids);
        mask.narrow(0, 1, 1).narrow(1, 0, 3).zero_();
        var parts = cat([narrow.Forward(ids.narrow(1, 0, 29), mask.narrow(1, 0, 29), cache), narrow.Forward(ids.narrow(1, 29, 1), mask, cache)], 1);
        Assert.InRange(Norm(parts.narrow(0, 0, 1).to(ScalarType.Float32).sub(wide.narrow(0, 0, 1))) / Norm(wide.narrow(0, 0, 1)), 1e-4, most);
    }

    private static float Norm(Tensor x) => x.square().sum().sqrt().item<float>();
}
