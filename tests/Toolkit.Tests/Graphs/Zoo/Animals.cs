using Microsoft.CodeAnalysis;
using Toolkit.Models;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Toolkit.Tests.Graphs.Zoo;

/// <summary>Modules of the kinds that people write.</summary>
internal static class Animals
{
    /// <summary>All of them.</summary>
    public static IReadOnlyList<Specimen> All { get; } =
    [
        Specimen.Of<Tensor>("GPT by hand", () => new LanguageModules.NanoGpt(50, 16, 2, 2, 32, flash: false), Ids),
        Specimen.Of<Tensor>("GPT with sdpa", () => new LanguageModules.NanoGpt(50, 16, 2, 2, 32, flash: true), Ids),
        Specimen.Of<Tensor>("GPT in training", () => new LanguageModules.NanoGpt(50, 16, 1, 2, 32, flash: false), Ids) with { Trains = true, HasBFloat16 = false },
        Specimen.Of<Tensor>("Llama block", () => new LanguageModules.LlamaBlock(32, 4, 2, 48), Vectors(32)),
        Specimen.Of<Tensor>("linear biases", () => new LanguageModules.AlibiAttention(32, 4), Vectors(32)),
        Specimen.Of<Tensor>("the engine's Llama", () => Decoder.Create(DecoderConfig.Llama(2, 32, 4, 2, 50), 3), Ids) with { FillsTables = true },
        Specimen.Of<Tensor>("LeNet", () => new VisionModules.LeNet(), Images(1, 28)),
        Specimen.Of<Tensor>("residual block", () => new VisionModules.ResidualBlock(3, 8, 2), Images(3, 12)),
        Specimen.Of<Tensor>("residual block in training", () => new VisionModules.ResidualBlock(4, 4, 1), Images(4, 8)) with { Trains = true, HasBFloat16 = false },
        Specimen.Of<Tensor>("skips", () => new VisionModules.SkipNet(4, 2), Images(4, 16)) with { Opaque = ["functional.interpolate"] },
        Specimen.Of<Tensor>("convolutional autoencoder", () => new VisionModules.ConvAutoencoder(), Images(1, 16)) with { Opaque = ["functional.conv_transpose2d", "functional.interpolate"] },
        Specimen.Of<Tensor>("group and instance norm", () => new VisionModules.NormNet(), Images(2, 8)) with { Opaque = ["functional.instance_norm"] },
        Specimen.Of<Tensor>("patches", () => new VisionModules.PatchEmbedding(16, 4, 24), Images(1, 16)),
        Specimen.Of<Tensor>("autoencoder", () => Sequential(Linear(16, 8), ReLU(), Linear(8, 3), Tanh(), Linear(3, 8), ELU(), Linear(8, 16), Softplus()), Vectors(16)),
        Specimen.Of<Tensor>("dropout", () => Sequential(Linear(16, 32), GELU(), Dropout(0.3), Linear(32, 4)), Vectors(16)) with { Trains = true },
        Specimen.Of<(Tensor, (Tensor, Tensor))>("LSTM by hand", () => new SequenceModules.LstmLoop(8, 12), Vectors(8)),
        Specimen.Of<Tensor>("LSTM and GRU", () => new SequenceModules.NativeRecurrence(8, 12), Vectors(8)) with { Opaque = ["LSTM.forward"], HasBFloat16 = false },
        Specimen.Of<(Tensor, Tensor)>("MultiheadAttention", () => new SequenceModules.NativeAttention(16, 4), Vectors(16)),
        Specimen.Of<Tensor>("TransformerEncoderLayer", () => TransformerEncoderLayer(16, 4, 32), Vectors(16)),
        Specimen.Of<Tensor>("soft experts", () => new LanguageModules.SoftExperts(16, 4), Vectors(16)),
        Specimen.Of<Tensor>("top experts", () => new LanguageModules.TopExperts(16, 4, 2), Vectors(16)) with { HasBFloat16 = false }, // the picks of equal scores
        Specimen.Of<(Tensor, Tensor)>("siamese", () => new SequenceModules.Siamese(12), (b, t, type) => [Vectors(12)(b, t, type), Vectors(12)(b, t, type)]) with { Opaque = ["functional.cosine_similarity"] },
        Specimen.Of<List<Tensor>>("list", () => new SequenceModules.Pyramid(12), Vectors(12)),
        Specimen.Of<Dictionary<string, Tensor>>("kitchen sink", () => new KitchenSink(12), Vectors(12)),
        Specimen.Of<Tensor>("script in Debug", () => ScriptModules.Make(OptimizationLevel.Debug), Vectors(16)),
        Specimen.Of<Tensor>("script in Release", () => ScriptModules.Make(OptimizationLevel.Release), Vectors(16)),
    ];

    /// <summary>Token ids (B, T).</summary>
    private static Tensor Ids(int batch, int length, ScalarType type) => randint(0, 50, [batch, length], ScalarType.Int64);

    /// <summary>(B, T, width).</summary>
    private static Func<int, int, ScalarType, Tensor> Vectors(int width) => (batch, length, type) => randn(batch, length, width).to(type);

    /// <summary>(B, channels, size, size), where the batch is one more for longer sequences.</summary>
    private static Func<int, int, ScalarType, Tensor> Images(int channels, int size) => (batch, length, type) => randn(batch, channels, size, size).to(type);
}
