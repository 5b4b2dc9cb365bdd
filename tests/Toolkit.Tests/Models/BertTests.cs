using System.Text.Json.Nodes;
using Toolkit.Checkpoints;
using Toolkit.Models;
using Toolkit.Ops;
using Toolkit.Tests.Models.Naive;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Models;

public sealed class BertTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bert");

    private static string Reference => Path.Combine(Fixtures.Folder, "references", "bert-encoder");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void HiddenStatesAreThoseOfTransformers()
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        using var model = Bert.Load(Reference);
        using var expected = Checkpoint.Open(Path.Combine(Reference, "expected.safetensors"));
        var error = Tensors.Difference(model.forward(expected.Load("input_ids")), expected.Load("last_hidden_state"));
        TestContext.Current.TestOutputHelper?.WriteLine($"{error:0.0e+0}");
        Assert.InRange(error, 0, 1e-4f);
    }

    [Theory]
    [InlineData(3, 24, 4, 50, Activation.Gelu, 1e-12)]
    [InlineData(1, 30, 5, 17, Activation.Relu, 1e-5)]
    [InlineData(2, 16, 1, 64, Activation.GeluTanh, 1e-3)]
    public void HiddenStatesAreThoseOfAPlainLoop(int layers, int width, int heads, int inner, Activation activation, double epsilon)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var config = new BertConfig
        {
            VocabularySize = 60,
            Width = width,
            Layers = layers,
            Heads = heads,
            FeedForwardWidth = inner,
            Activation = activation,
            NormEpsilon = epsilon,
            MaxPositions = 25,
            TokenTypes = 3,
        };
        using var model = Bert.Create(config, 4);
        random.manual_seed(9);
        foreach (var parameter in model.parameters())
        {
            parameter.add_(randn_like(parameter).mul(0.3f));
        }

        model.Save(_folder.FullName);
        using var weights = new NaiveWeights(_folder.FullName);
        var plain = new NaiveBert(JsonNode.Parse(File.ReadAllText(Path.Combine(_folder.FullName, "config.json")))!, weights);
        var (ids, types) = (randint(0, 60, [1, 25], int64), randint(0, 3, [1, 25], int64));
        var expected = plain.Hidden([.. ids.data<long>().ToArray().Select(id => (int)id)], [.. types.data<long>().ToArray().Select(id => (int)id)]);
        Assert.InRange(Tensors.Difference(model.Forward(ids, null, types)[0], tensor(expected.SelectMany(row => row.Select(x => (float)x)).ToArray()).view(25, width)), 0, 2e-5f);
        Assert.Equal(config, BertConfig.Load(_folder.FullName));
        using var again = Bert.Load(_folder.FullName);
        Assert.Equal(0, Tensors.Difference(model.Forward(ids, null, types), again.Forward(ids, null, types)));
    }

    [Theory]
    [InlineData(Pooling.Mean)]
    [InlineData(Pooling.FirstToken)]
    public void PaddingChangesNoText(Pooling pooling)
    {
        using var scope = NewDisposeScope();
        using var model = Bert.Load(Reference);
        int[] lengths = [20, 7, 1];
        var ids = randint(0, 384, [3, 20], int64);
        var mask = stack([.. lengths.Select(length => arange(20).lt(length.ToScalar()))]);
        var (hidden, vectors) = (model.Forward(ids, mask), model.Embed(ids, mask.to(ScalarType.Int64), pooling));
        for (var i = 0; i < 3; i++)
        {
            var alone = ids.narrow(0, i, 1).narrow(1, 0, lengths[i]);
            Assert.InRange(Tensors.Difference(hidden.narrow(0, i, 1).narrow(1, 0, lengths[i]), model.Forward(alone, null)), 0, 2e-5f);
            Assert.InRange(Tensors.Difference(vectors.narrow(0, i, 1), model.Embed(alone, null, pooling)), 0, 1e-5f);
            var own = model.Forward(alone, null)[0];
            var vector = pooling == Pooling.Mean ? own.mean([0L]) : own[0];
            Assert.InRange(Tensors.Difference(vectors[i], vector.div(vector.norm())), 0, 1e-5f);
            Assert.InRange(Tensors.Difference(model.Embed(alone, null, pooling, normalise: false)[0], vector), 0, 1e-5f);
        }
    }

    [Fact]
    public void ThePoolerIsATanhOfTheFirstToken()
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        using var model = Bert.Load(Reference);
        using var checkpoint = Checkpoint.Open(Reference);
        var hidden = model.Forward(arange(10, int64).view(2, 5), null);
        var expected = hidden.select(1, 0).matmul(checkpoint.Load("pooler.dense.weight").t()).add(checkpoint.Load("pooler.dense.bias")).tanh();
        Assert.InRange(Tensors.Difference(model.Pooled(hidden), expected), 0, 1e-6f);
    }

    [Fact]
    public void SavedItIsTheSameFile()
    {
        using var model = Bert.Load(Reference);
        model.Save(_folder.FullName);
        Assert.Equal(File.ReadAllBytes(Path.Combine(Reference, "model.safetensors")), File.ReadAllBytes(Path.Combine(_folder.FullName, "model.safetensors")));
    }

    /// <summary>A language model's file: a prefix, the first names of norms, a head, a buffer, no pooler.</summary>
    [Fact]
    public void FilesOfOtherTasksAndTimesAreRead()
    {
        using var scope = NewDisposeScope();
        using var model = Bert.Load(Reference);
        model.Config.Save(_folder.FullName);
        var tensors = model.named_parameters().Where(p => !p.name.StartsWith("pooler.", StringComparison.Ordinal)).ToDictionary(
            p => "bert." + p.name.Replace("LayerNorm.weight", "LayerNorm.gamma", StringComparison.Ordinal).Replace("LayerNorm.bias", "LayerNorm.beta", StringComparison.Ordinal), p => (Tensor)p.parameter);
        tensors["cls.predictions.bias"] = ones(384);
        tensors["bert.embeddings.position_ids"] = arange(128, int64);
        Checkpoint.Save(_folder.FullName, tensors);
        using var other = Bert.Load(_folder.FullName);
        var ids = arange(10, int64).view(2, 5);
        Assert.False(other.HasPooler);
        Assert.Equal(0, Tensors.Difference(model.Forward(ids, null), other.Forward(ids, null)));
        Assert.Contains("no pooler", Assert.Throws<InvalidOperationException>(() => other.Pooled(ones(1, 1, 64))).Message);

        tensors.Remove("bert.encoder.layer.1.output.dense.bias");
        tensors["bert.encoder.layer.1.extra"] = ones(80_000);
        Checkpoint.Save(_folder.FullName, tensors);
        var problem = Assert.Throws<CheckpointException>(() => Bert.Load(_folder.FullName)).Message;
        Assert.Contains("missing (encoder.layer.1.output.dense.bias), 1 unexpected (bert.encoder.layer.1.extra)", problem);
    }

    [Fact]
    public void GradientsFlow()
    {
        using var scope = NewDisposeScope();
        using var model = Bert.Load(Reference);
        model.forward(arange(10, int64).view(2, 5)).square().mean().backward();
        Assert.All(model.named_parameters().Where(p => !p.name.StartsWith("pooler.", StringComparison.Ordinal)), p => Assert.True(p.parameter.grad is not null, p.name));
    }

    [Fact]
    public void WhatItCannotReadIsSaid()
    {
        using var scope = NewDisposeScope();
        using var model = Bert.Load(Reference);
        Assert.Contains("129 tokens are more than the model's 128 positions", Assert.Throws<InvalidOperationException>(() => model.Forward(zeros(1, 129, int64), null)).Message);
        Assert.Contains("the mask have shape (1, 4), the ids (1, 5)", Assert.Throws<ArgumentException>(() => model.Forward(zeros(1, 5, int64), ones(1, 4, int64))).Message);
        Assert.Contains("without any token", Assert.Throws<ArgumentException>(() => model.Forward(zeros(2, 5, int64), zeros(2, 5, int64))).Message);
    }

    [Theory]
    [InlineData("""{"model_type":"bert","position_embedding_type":"relative_key"}""", "relative_key")]
    [InlineData("""{"model_type":"bert","is_decoder":true}""", "is_decoder true is not supported")]
    [InlineData("""{"model_type":"bert","hidden_act":"mish"}""", "hidden_act 'mish'")]
    [InlineData("""{"model_type":"bert","num_attention_heads":7}""", "width 768 is not a multiple of heads 7")]
    [InlineData("""{"model_type":"bart"}""", "model_type 'bart' is no encoder")]
    public void WhatCannotBeReadIsNamedWithItsFile(string json, string expected)
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "config.json"), json);
        var problem = Assert.ThrowsAny<Exception>(() => Bert.Load(_folder.FullName));
        Assert.True(problem is NotSupportedException or InvalidDataException, problem.ToString());
        Assert.Contains(expected, problem.Message);
        Assert.Contains(Path.Combine(_folder.FullName, "config.json"), problem.Message);
    }
}
