using System.Buffers.Binary;
using System.Text;
using Toolkit.Checkpoints;
using static TorchSharp.torch;
using Decoder = Toolkit.Models.Decoder;
using DecoderConfig = Toolkit.Models.DecoderConfig;

namespace Toolkit.Tests.Checkpoints;

/// <summary>Whatever is in a GGUF file, opening it gives tensors that can be read, or a clear exception; so does making a model of it.</summary>
public sealed class GgufFuzzTests : FileFuzzTests
{
    private const int MutationsOfEach = 34_000;
    private const long MostBytesPerFile = 4 << 20;

    private static readonly byte[][] Fragments =
    [
        [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F], [0, 0, 0, 0, 0, 0, 0, 0x40], [0, 0, 0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0],
        .. Enumerable.Range(0, 44).Select(type => new byte[] { (byte)type, 0, 0, 0 }), [9, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
        .. new[] { "llama", "gpt2", "general.alignment", "token_embd.weight", "blk.0.attn_q.weight", "\0", "\u00FF" }.Select(Encoding.UTF8.GetBytes),
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void EveryMutatedFileIsReadOrRefused(int seed)
    {
        var random = new Random(seed);
        var original = seed == 1 ? Small() : seed == 2 ? Model("llama") : Model("gpt2");
        var path = PathOf("fuzzed.gguf");
        Fuzz(path, MutationsOfEach, MostBytesPerFile, () => Mutated(original, random), Read, 0.25, problem => seed > 1 && problem is NotSupportedException or InvalidDataException);

        void Read(byte[] bytes)
        {
            if (seed == 1)
            {
                ReadAll(path, bytes.Length);
            }
            else
            {
                using var model = Decoder.Load(path);
                _ = model.ParameterCount;
            }
        }
    }

    private static void ReadAll(string path, int length)
    {
        using var file = GgufFile.Open(path);
        foreach (var (key, _) in file.Metadata)
        {
            Try(() => file.Metadata.Integer(key));
            Try(() => file.Metadata.Numbers(key));
            Try(() => file.Metadata.Texts(key));
        }

        Try(() => GgufModel.ReadTokenizer(file));
        foreach (var (name, entry) in file.Tensors)
        {
            Try(() =>
            {
                var tensor = file.Load(name);
                Assert.Equal(entry.Shape, tensor.shape);
                Assert.InRange(tensor.numel(), 0, length * 8L);
                _ = Files.Bytes(tensor);
            });
        }

        static void Try(Action read)
        {
            try
            {
                read();
            }
            catch (Exception problem) when (problem is CheckpointException or NotSupportedException)
            {
                // What cannot be read as asked is refused; the rest of the file still is.
            }
        }
    }

    private static byte[] Mutated(byte[] original, Random random)
    {
        var bytes = original.ToArray();
        var header = Math.Min(bytes.Length, HeaderLength(original));
        for (var rounds = random.Next(1, 4); rounds > 0; rounds--)
        {
            switch (random.Next(7))
            {
                case 0 when random.Next(3) == 0:
                    bytes = bytes[..random.Next(bytes.Length + 1)];
                    break;
                case 1:
                    bytes = [.. bytes, .. new byte[random.Next(1, 40)]];
                    break;
                case 2 when bytes.Length > 0:
                    bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
                    break;
                case 3 when bytes.Length > 24:
                    // The counts of tensors and of metadata.
                    BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(random.Next(2) == 0 ? 8 : 16), random.Next(3) == 0 ? random.NextInt64() : random.Next(40));
                    break;
                default:
                    var fragment = Fragments[random.Next(Fragments.Length)];
                    var at = random.Next(Math.Max(1, Math.Min(header, bytes.Length - fragment.Length)));
                    if (at + fragment.Length <= bytes.Length)
                    {
                        fragment.CopyTo(bytes, at);
                    }

                    break;
            }
        }

        return bytes;
    }

    private static int HeaderLength(byte[] file) => file.Length < 4096 ? file.Length / 2 : 2500;

    /// <summary>Metadata of every kind and tensors of every type that can be written.</summary>
    private byte[] Small()
    {
        using var scope = NewDisposeScope();
        var path = PathOf("small.gguf");
        var metadata = new GgufMetadata(
        [
            new("general.architecture", "llama"), new("general.alignment", 32u), new("a", 1L), new("b", new[] { 1.5f, 2 }), new("c", new Array[] { new[] { 1 }, new[] { "x" } }),
            new("d", true), new("e", new[] { true, false }), new("tokenizer.ggml.model", "gpt2"), new("tokenizer.ggml.tokens", new[] { "a", "b", "ab" }), new("tokenizer.ggml.merges", new[] { "a b" }),
        ]);
        var types = new Dictionary<string, GgufType> { ["f"] = GgufType.F32, ["h"] = GgufType.F16, ["b"] = GgufType.BF16, ["q8"] = GgufType.Q8_0, ["q4"] = GgufType.Q4_0 };
        GgufFile.Save(path, metadata, types.Keys.Select(name => KeyValuePair.Create(name, Files.Values(ScalarType.Float32, [2, 32], 1))), (name, _) => types[name]);
        return File.ReadAllBytes(path);
    }

    private byte[] Model(string family)
    {
        var path = PathOf("model.gguf");
        var config = family == "gpt2"
            ? DecoderConfig.FromJson(new() { ["model_type"] = "gpt2", ["n_embd"] = 8, ["n_head"] = 2, ["n_layer"] = 1, ["n_positions"] = 4, ["vocab_size"] = 6, ["bos_token_id"] = 1, ["eos_token_id"] = 2 })
            : DecoderConfig.Llama(1, 8, 2, 1, 6, feedForwardWidth: 8, maxPositions: 4);
        using var model = Decoder.Create(config, 1);
        model.SaveGguf(path, GgufType.F32);
        return File.ReadAllBytes(path);
    }
}
