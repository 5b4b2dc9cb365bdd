using Toolkit.Decoding;
using Toolkit.Graphs;
using Toolkit.Graphs.Cpu;
using Toolkit.Models;
using Toolkit.Tests.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs;

/// <summary>Compiled decoding says what the model says.</summary>
public sealed class DecodingTests
{
    private const int Steps = 5;

    public static TheoryData<string> References => [.. ReferenceFolder.Names.Where(name => !BertConfig.IsIn(Path.Combine(ReferenceFolder.Root, name)))];

    [Theory]
    [MemberData(nameof(References))]
    public void GreedyTokensAndLogits_AreThoseOfTheModel(string name)
    {
        using var model = CausalModel.Load(Path.Combine(ReferenceFolder.Root, name));
        using var compiled = model.CompileDecoding(new CompileOptions { Cpu = new CpuOptions { CacheFolder = null, IsOptimized = false } });
        using var plain = new DecodeSession(model, 16);
        using var fast = new DecodeSession(model, 16, compiled);
        int[] prompt = [.. Enumerable.Range(0, 7).Select(i => (int)(i * 7919L % model.VocabularySize))];
        plain.Feed(prompt);
        fast.Feed(prompt);
        for (var i = 0; i < Steps; i++)
        {
            var id = Greatest(plain.Logits);
            Assert.Equal(id, Greatest(fast.Logits));
            plain.Feed([id]);
            fast.Feed([id]);
            var scale = Math.Max(1, plain.Logits.ToArray().Max(Math.Abs));
            var error = plain.Logits.ToArray().Zip(fast.Logits.ToArray(), (a, b) => Math.Abs(a - b)).Max() / scale;
            Assert.True(error < 1e-4, $"{name}, step {i}: logits differ by {error:g2}\n{string.Join('\n', compiled.Reports)}");
        }

        var isMixture = model is Decoder { Config.FeedForwardKind: FeedForwardKind.MixtureOfExperts };
        if (model.CanForwardAt(0, CompiledDecoder.FirstSpan))
        {
            Assert.True(compiled.CompiledSteps >= Steps - 2, $"{name}: {string.Join('\n', compiled.Reports)}");
            var graph = Assert.IsType<CompiledGraph>(compiled.Executable);
            Assert.True(graph.WhyInterpreted is null, $"{name}: {graph.WhyInterpreted}");

            // What an expert is given depends on values: the graph calls the mixture at each layer, and nothing else.
            Assert.All(compiled.Reports, report => Assert.All(report.OpaqueCalls, call => Assert.True(isMixture && call.StartsWith("MixtureOfExperts.Routed", StringComparison.Ordinal), call)));
        }
    }

    private static int Greatest(ReadOnlySpan<float> logits) => System.Numerics.Tensors.TensorPrimitives.IndexOfMax(logits);
}
