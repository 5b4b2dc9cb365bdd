using Toolkit.Checkpoints;
using Toolkit.Models;
using static TorchSharp.torch;

namespace Toolkit.Tests.Models;

public sealed class DecoderTests
{
    private static string Reference(string name) => Path.Combine(Fixtures.Folder, "references", name);

    [Theory]
    [InlineData("llama-gqa")]
    [InlineData("llama-tied")]
    public void AgreesWithTransformers(string name)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        using var model = Decoder.Load(Reference(name));
        using var expected = Checkpoint.Open(Path.Combine(Reference(name), "expected.safetensors"));
        var ids = expected.Load("input_ids");
        var logits = model.forward(ids);
        Assert.InRange(Difference(logits, expected.Load("logits")), 0, 1e-4f);

        using var cache = model.NewCache(2, 64);
        var parts = new[] { model.Forward(ids.narrow(1, 0, 20), cache), model.Forward(ids.narrow(1, 20, 27), cache), model.Forward(ids.narrow(1, 47, 1), cache) };
        Assert.InRange(Difference(cat(parts, 1), logits), 0, 1e-5f);

        // The reference asked for exactly 16 new tokens, so it could not choose the end of text.
        var greedy = expected.Load("greedy");
        var (cached, plain, last) = (ids, ids, parts[2]);
        for (var i = 0; i < 16; i++)
        {
            plain = cat([plain, Best(model.forward(plain), model.Config.EndTokenId!.Value)], 1);
            var next = Best(last, model.Config.EndTokenId!.Value);
            cached = cat([cached, next], 1);
            last = model.Forward(next, cache);
        }

        Assert.True(plain.eq(greedy).all().item<bool>());
        Assert.True(cached.eq(greedy).all().item<bool>());
    }

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

    private static Tensor Best(Tensor logits, int except)
    {
        var last = logits.select(1, -1).clone();
        last.narrow(1, except, 1).fill_(float.NegativeInfinity);
        return last.argmax(-1, true);
    }

    private static float Difference(Tensor a, Tensor b) => a.sub(b).abs().max().item<float>();
}
