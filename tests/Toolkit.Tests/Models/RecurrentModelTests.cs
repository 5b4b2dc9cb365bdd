using System.Text.Json.Nodes;
using Toolkit.Checkpoints;
using Toolkit.Models;
using Toolkit.Tests.Models.Naive;
using static TorchSharp.torch;

namespace Toolkit.Tests.Models;

/// <summary>Models of states in several shapes, at random: against plain loops, in a state, padded, saved, trained.</summary>
public sealed class RecurrentModelTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("recurrent");

    private static readonly Dictionary<string, Func<RecurrentModel>> Models = new()
    {
        ["mamba"] = () => Mamba.Create(MambaConfig.Create(3, 24, 50, stateSize: 5, tieEmbeddings: false) with { Bias = true, ConvolutionBias = false, Kernel = 3, EndTokenIds = new([3, 4]) }, 1),
        ["mamba, odd width"] = () => Mamba.Create(MambaConfig.Create(2, 18, 50) with { InnerWidth = 27, StepRank = 3 }, 2),
        ["mamba2"] = () => Mamba2.Create(Mamba2Config.Create(2, 32, 50, headDimension: 8, stateSize: 16) with { Chunk = 7 }, 3),
        ["mamba2, groups"] = () => Mamba2.Create(
            Mamba2Config.Create(3, 24, 50, headDimension: 6, stateSize: 5, groups: 4, tieEmbeddings: false) with { Bias = true, ConvolutionBias = false, Kernel = 2, LeastStep = 0.01, MostStep = 0.5 }, 4),
        ["mamba2, least step"] = () => Mamba2.Create(Mamba2Config.Create(1, 16, 50, headDimension: 8, stateSize: 8, groups: 2) with { LeastStep = 0.02 }, 5),
        ["rwkv"] = () => Rwkv.Create(RwkvConfig.Create(3, 24, 50) with { RescaleEvery = 2, EndTokenIds = new([0]) }, 6),
        ["rwkv, widths"] = () => Rwkv.Create(RwkvConfig.Create(2, 20, 50, feedForwardWidth: 31) with { AttentionWidth = 13, RescaleEvery = 0, TieEmbeddings = true }, 7),
    };

    public static TheoryData<string> Names { get; } = [.. Models.Keys];

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [MemberData(nameof(Names))]
    public void LogitsAreThoseOfAPlainLoop(string name)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        using var model = Wide(name);
        var ids = Ids();
        var logits = model.Forward(ids, null);
        model.Save(_folder.FullName);
        using var weights = new NaiveWeights(_folder.FullName);
        var plain = new NaiveRecurrent(JsonNode.Parse(File.ReadAllText(Path.Combine(_folder.FullName, "config.json")))!, weights);
        var most = 0f;
        for (var row = 0; row < 2; row++)
        {
            var expected = plain.Logits([.. ids[row].data<long>().ToArray().Select(id => (int)id)]);
            for (var t = 0; t < expected.Length; t++)
            {
                var actual = logits[row, t].data<float>().ToArray();
                most = Math.Max(most, expected[t].Zip(actual).Max(p => (float)Math.Abs(p.First - p.Second)));
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{name}: {most:0.0e+0}");
        Assert.True(logits.std().item<float>() > 0.1f);
        Assert.InRange(most, 0, 5e-5f);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void TheStateAndPaddingChangeNothing(string name)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        using var model = Wide(name);
        FamilyContract.CacheChangesNothing(model, Ids());
        FamilyContract.PaddingChangesNothing(model, Ids());
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void SavedAndLoadedItIsTheSame(string name)
    {
        using var scope = NewDisposeScope();
        using var model = Wide(name);
        model.Save(_folder.FullName);
        using var again = (RecurrentModel)CausalModel.Load(_folder.FullName);
        Assert.Equal(RecurrentReferenceTests.Config(model), RecurrentReferenceTests.Config(again));
        Assert.Equal(model.EndTokenIds, again.EndTokenIds);
        Assert.Equal(0, Tensors.Difference(model.Forward(Ids(), null), again.Forward(Ids(), null)));
        using var changed = (RecurrentModel)model.EmptyCopy(ScalarType.Float32);
        changed.LoadWeights(_folder.FullName);
        Assert.Equal(0, Tensors.Difference(model.Forward(Ids(), null), changed.Forward(Ids(), null)));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void GradientsAreSlopes(string name)
    {
        using var scope = NewDisposeScope();
        using var model = Wide(name);
        var (ids, targets) = (Ids().narrow(1, 0, 15), Ids().narrow(1, 1, 15));
        model.Loss(ids, targets).backward();
        using var noGradient = no_grad();
        foreach (var (parameter, value) in model.named_parameters())
        {
            Assert.True(value.grad is not null, parameter);
            var step = value.grad!.mul(0.01f / Math.Max(value.grad.norm().item<float>(), 1e-3f));
            value.add_(step);
            var after = model.Loss(ids, targets).item<float>();
            value.sub_(step.mul(2));
            var before = model.Loss(ids, targets).item<float>();
            value.add_(step);
            var expected = 2 * step.mul(value.grad).sum().item<float>();
            Assert.True(Math.Abs(after - before - expected) < (0.05f * expected) + 2e-5f, $"{parameter}: {after - before} instead of {expected}");
        }
    }

    [Theory]
    [InlineData("missing", "1 tensors missing (backbone.norm_f.weight)")]
    [InlineData("shape", "tensor \"backbone.norm_f.weight\" has shape (5), the configuration asks for (24)")]
    public void WhatDoesNotFitIsNamedWithItsFile(string problem, string expected)
    {
        using var scope = NewDisposeScope();
        using var model = Models["mamba"]();
        model.Save(_folder.FullName);
        var tensors = model.named_parameters().ToDictionary(p => p.name, p => (Tensor)p.parameter);
        tensors["backbone.norm_f.weight"] = ones(5);
        if (problem == "missing")
        {
            tensors.Remove("backbone.norm_f.weight");
            tensors["other"] = ones(30);
        }

        Checkpoint.Save(_folder.FullName, tensors);
        var message = Assert.Throws<CheckpointException>(() => CausalModel.Load(_folder.FullName)).Message;
        Assert.Contains(Path.Combine(_folder.FullName, "model.safetensors"), message);
        Assert.Contains(expected, message);
    }

    [Fact]
    public void AnotherModelsStateIsRefused()
    {
        using var scope = NewDisposeScope();
        using var mamba = Models["mamba"]();
        using var decoder = Decoder.Create(DecoderConfig.Llama(1, 16, 2, 1, 20), 0);
        using var cache = decoder.NewState(1, 4);
        var ids = zeros(1, 2, int64);
        Assert.Contains("the state is a KvCache, this model's is a RecurrentState", Assert.Throws<ArgumentException>(() => mamba.Forward(ids, cache)).Message);
    }

    [Fact]
    public void TheSameSeedMakesTheSameModel()
    {
        using var scope = NewDisposeScope();
        foreach (var make in Models.Values)
        {
            using var a = make();
            using var b = make();
            Assert.Equal(0, Tensors.Difference(a.Forward(Ids(), null), b.Forward(Ids(), null)));
        }
    }

    [Theory]
    [InlineData("""{"model_type":"mamba","hidden_act":"mish"}""", "hidden_act 'mish'")]
    [InlineData("""{"model_type":"mamba","hidden_size":-3}""", "is no inner width")]
    [InlineData("""{"model_type":"mamba","state_size":0}""", "state size 0 is not positive")]
    [InlineData("""{"model_type":"mamba2","num_heads":8}""", "8 heads of 64 rows are 512")]
    [InlineData("""{"model_type":"mamba2","num_heads":100,"n_groups":3,"head_dim":2,"hidden_size":100}""", "heads 100 is not a multiple of groups 3")]
    [InlineData("""{"model_type":"mamba2","time_step_limit":[1]}""", "time_step_limit is [1], expected two limits")]
    [InlineData("""{"model_type":"rwkv","vocab_size":"many"}""", "vocab_size is \"many\"")]
    [InlineData("""{"model_type":"rwkv","quantization_config":{"quant_method":"gptq"}}""", "quantization_config (gptq)")]
    [InlineData("""{"model_type":"elephant"}""", "model_type 'elephant' is not supported; known: ")]
    [InlineData("[]", "not an object")]
    public void WhatCannotBeReadIsNamedWithItsFile(string json, string expected)
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "config.json"), json);
        var problem = Assert.ThrowsAny<Exception>(() => CausalModel.Load(_folder.FullName));
        Assert.True(problem is NotSupportedException or InvalidDataException, problem.ToString());
        Assert.Contains(expected, problem.Message);
        Assert.Contains(Path.Combine(_folder.FullName, "config.json"), problem.Message);
    }

    [Theory]
    [InlineData("[0.0, Infinity]")]
    [InlineData("""[0.0, {"__float__": "Infinity"}]""")]
    public void InfinityIsReadAsPythonWritesIt(string limits)
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "config.json"), $$"""{"model_type":"mamba2","note":"Infinity, \"NaN\"","time_step_limit":{{limits}}}""");
        var config = Mamba2Config.Load(_folder.FullName);
        Assert.Equal((0, double.PositiveInfinity), (config.LeastStep, config.MostStep));
        Assert.Equal((128, 64, 8, 128, 32768, 4096, 64, false), (config.Heads, config.HeadDimension, config.Groups, config.StateSize, config.VocabularySize, config.Width, config.Layers, config.TieEmbeddings));
    }

    [Fact]
    public void AbsentOptionsHaveTheFamilysDefaults()
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "config.json"), """{"model_type":"mamba","hidden_size":100,"intermediate_size":7}""");
        var mamba = MambaConfig.Load(_folder.FullName);
        Assert.Equal((50280, 32, 200, 16, 7, 4, true, false, true), (mamba.VocabularySize, mamba.Layers, mamba.InnerWidth, mamba.StateSize, mamba.StepRank, mamba.Kernel, mamba.TieEmbeddings, mamba.Bias, mamba.ConvolutionBias));
        var rwkv = RwkvConfig.Load(_folder.FullName);
        Assert.Equal((50277, 32, 100, 7, 6, false), (rwkv.VocabularySize, rwkv.Layers, rwkv.AttentionWidth, rwkv.FeedForwardWidth, rwkv.RescaleEvery, rwkv.TieEmbeddings));
    }

    [Fact]
    public void AConfigurationLargerThanItsFileTakesNoMemory()
    {
        using var model = Models["rwkv"]();
        model.Save(_folder.FullName);
        (RecurrentReferenceTests.Config(model) with { VocabularySize = 2_000_000_000 }).Save(_folder.FullName);
        Assert.Contains("the configuration asks for", Assert.Throws<CheckpointException>(() => CausalModel.Load(_folder.FullName)).Message);
    }

    private static Tensor Ids()
    {
        using var generator = new Generator(11);
        return randint(0, 50, [2, 30], int64, generator: generator);
    }

    /// <summary>Wider weights than those that training begins with, so that an error shows.</summary>
    private static RecurrentModel Wide(string name)
    {
        var model = Models[name]();
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        using var generator = new Generator(12); // the global one is shared with tests that run beside this one
        foreach (var (parameter, value) in model.named_parameters())
        {
            if (value.dim() == 2 && !parameter.EndsWith("A_log", StringComparison.Ordinal))
            {
                value.mul_(value.std().item<float>() is var deviation && deviation > 0 ? 0.3f / deviation : 1);
            }
            else
            {
                value.add_(randn(value.shape, generator: generator).mul(0.2f));
            }
        }

        return model;
    }
}
