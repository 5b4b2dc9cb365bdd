using Toolkit.Models;
using static TorchSharp.torch;

namespace Toolkit.Tests.Models;

public sealed class DecoderTests
{
    private static string Reference(string name) => Path.Combine(Fixtures.Folder, "references", name);

    [Fact]
    public void TheSameSeedMakesTheSameModel()
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var ids = arange(12, int64).view(1, 12);
        var config = DecoderConfig.Llama(2, 32, 4, 2, 50);
        using var a = Decoder.Create(config, 3);
        using var b = Decoder.Create(config, 3);
        using var c = Decoder.Create(config, 4);
        Assert.Equal(0, Difference(a.forward(ids), b.forward(ids)));
        Assert.NotEqual(0, Difference(a.forward(ids), c.forward(ids)));
    }

    [Fact]
    public void LossIsTheCrossEntropyOfTheLogits()
    {
        using var scope = NewDisposeScope();
        using var model = Decoder.Load(Reference("llama-tied"));
        var ids = randint(0, 384, [2, 9], int64);
        var fast = model.Loss(ids, ids);
        fast.backward();
        var gradients = model.parameters().Select(p => p.grad!.clone()).ToArray();
        model.zero_grad();
        var plain = nn.functional.cross_entropy(model.forward(ids).view(-1, 384), ids.view(-1));
        plain.backward();
        Assert.Equal(plain.item<float>(), fast.item<float>(), 1e-4f);
        Assert.All(model.parameters().Zip(gradients), p => Assert.InRange(Difference(p.First.grad!, p.Second), 0, 1e-4f));
    }

    [Fact]
    public void AFullCacheSaysSo()
    {
        using var model = Decoder.Create(DecoderConfig.Llama(1, 16, 2, 1, 20), 0);
        using var cache = model.NewCache(1, 4);
        using var ids = zeros(1, 5, int64);
        Assert.Contains("room for 4 positions, 0 are used, 5 more", Assert.Throws<InvalidOperationException>(() => model.Forward(ids, cache)).Message);
    }

    private static float Difference(Tensor a, Tensor b) => a.sub(b).abs().max().item<float>();
}
