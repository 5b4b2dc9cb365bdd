using System.Text.Json.Nodes;
using Toolkit.Checkpoints;
using Toolkit.Models;
using Toolkit.Tests.Models.Naive;
using static TorchSharp.torch;

namespace Toolkit.Tests.Models;

/// <summary>What holds of models of states beyond the contract of every family, on models that transformers wrote.</summary>
public sealed class RecurrentReferenceTests
{
    public static TheoryData<string> References { get; } = ["mamba", "rwkv"];

    /// <summary>
    /// transformers 5.17 decodes a batch of RWKV sequences otherwise than each alone: with one token a sequence, its first block adds (B, 1, W) to (B, W) of the
    /// positions before, which makes (B, B, W). Every sequence so reads its token B times, mixed with the last token of every sequence. Its tokens in the reference
    /// are those of a plain loop that does the same, and so say nothing of ours, but that the tokens before them are right.
    /// </summary>
    [Fact]
    public void GreedyTokensOfTransformersRwkvReadEveryTokenOncePerSequence()
    {
        using var scope = NewDisposeScope();
        using var expected = Checkpoint.Open(Path.Combine(Reference("rwkv"), "expected.safetensors"));
        using var weights = new NaiveWeights(Reference("rwkv"));
        var plain = new NaiveRecurrent(JsonNode.Parse(File.ReadAllText(Path.Combine(Reference("rwkv"), "config.json")))!, weights);
        var greedy = expected.Load("greedy");
        int[][] tokens = [.. Enumerable.Range(0, 2).Select(row => greedy[row].data<long>().ToArray().Select(id => (int)id).ToArray())];
        for (var row = 0; row < 2; row++)
        {
            List<int> read = [.. tokens[row][..48]];
            List<int?> before = [null, .. tokens[row][..47]];
            for (var t = 48; t < 63; t++)
            {
                read.AddRange([tokens[row][t], tokens[row][t]]);
                before.AddRange([tokens[0][t - 1], tokens[1][t - 1]]);
            }

            var logits = plain.Logits([.. read], [.. before]);
            for (var t = 48; t < 64; t++)
            {
                var last = logits[t == 48 ? 47 : 47 + (2 * (t - 48))];
                last[2] = double.NegativeInfinity; // the end of text
                Assert.Equal(tokens[row][t], Array.IndexOf(last, last.Max()));
            }
        }
    }

    [Theory]
    [MemberData(nameof(References))]
    public void AMappedModelIsTheSame(string name)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        using var model = CausalModel.Load(Reference(name));
        using var mapped = CausalModel.Load(Reference(name), map: true);
        var ids = arange(12, int64).view(2, 6);
        Assert.InRange(Tensors.Difference(model.forward(ids), mapped.forward(ids)), 0, 1e-5f);
    }

    [Theory]
    [MemberData(nameof(References))]
    public void AResetStateBeginsAnew(string name)
    {
        using var scope = NewDisposeScope();
        using var model = CausalModel.Load(Reference(name));
        using var state = model.NewState(2, 9);
        var bytes = state.Bytes;
        var ids = arange(18, int64).view(2, 9);
        var first = model.Forward(ids, state);
        Assert.Contains("room for 9 positions, 9 are used, 9 more", Assert.Throws<InvalidOperationException>(() => model.Forward(ids, state)).Message);
        state.Reset();
        Assert.Equal(0, Tensors.Difference(first, model.Forward(ids, state)));
        Assert.Equal((9, bytes, (double)bytes), (state.Length, state.Bytes, state.BytesAt(1)));
    }

    [Theory]
    [MemberData(nameof(References))]
    public void BFloat16IsClose(string name)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        using var model = CausalModel.Load(Reference(name));
        using var narrow = CausalModel.Load(Reference(name), ScalarType.BFloat16);
        using var state = narrow.NewState(2, 48);
        using var expected = Checkpoint.Open(Path.Combine(Reference(name), "expected.safetensors"));
        var ids = expected.Load("input_ids");
        var logits = model.forward(ids);
        var deviation = logits.std().item<float>();
        Assert.InRange(narrow.forward(ids).to(ScalarType.Float32).sub(logits).std().item<float>(), 0, 0.15f * deviation);
        narrow.Forward(ids.narrow(1, 0, 30), state);
        var rest = narrow.Forward(ids.narrow(1, 30, 18), state).to(ScalarType.Float32);
        Assert.InRange(rest.sub(logits.narrow(1, 30, 18)).std().item<float>(), 0, 0.15f * deviation);
    }

    internal static RecurrentConfig Config(RecurrentModel model) => model switch
    {
        Mamba mamba => mamba.Config,
        Mamba2 mamba2 => mamba2.Config,
        Rwkv rwkv => rwkv.Config,
        _ => throw new ArgumentException(model.ModelType),
    };

    private static string Reference(string name) => Path.Combine(Fixtures.Folder, "references", name);
}
