using System.Text;
using Toolkit.Checkpoints;
using static TorchSharp.torch;

namespace Toolkit.Tests.Checkpoints;

/// <summary>Whatever is in a file of torch.save, opening it gives tensors that can be read, or a <see cref="CheckpointException"/>; nothing is executed.</summary>
public sealed class TorchFileFuzzTests : FileFuzzTests
{
    private const int MutationsOfEach = 40_000;
    private const long MostBytesPerFile = 1 << 20;

    // Instructions of pickles, known and unknown, and pieces of what they take.
    private static readonly byte[][] Fragments =
    [
        .. "(.0NJKMGX}])tatesuqrhjcQRbIFLSVUT\x80\x81\x82\x85\x86\x87\x88\x89\x8a\x8b\x8c\x93\x94\x95".Select(code => new[] { (byte)code }),
        .. new[] { "cposix\nsystem\n", "cbuiltins\neval\n", "ctorch\nFloatStorage\n", "ctorch._utils\n_rebuild_tensor_v2\n", "ccollections\nOrderedDict\n" }.Select(Encoding.ASCII.GetBytes),
        [0xFF, 0xFF, 0xFF, 0xFF], [0, 0, 0, 0x80], [0x8A, 8, 0, 0, 0, 0, 0, 0, 0, 0x40], [(byte)'X', 0xFF, 0xFF, 0xFF, 0x7F], [(byte)'r', 0xFF, 0xFF, 0xFF, 0xFF],
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void EveryMutatedFileIsReadOrRefused(int seed)
    {
        var random = new Random(seed);
        var original = File.ReadAllBytes(Path.Combine(Fixtures.Folder, "torch", "tensors.bin"));
        if (seed == 3)
        {
            using var scope = NewDisposeScope();
            original = TorchArchive.Of(new() { ["a"] = Files.Values(ScalarType.Float32, [2, 3], 1), ["b"] = Files.Values(ScalarType.BFloat16, [4], 2) });
        }

        var pickle = original.AsSpan().IndexOf("data.pkl"u8) + "data.pkl".Length;
        var path = PathOf("pytorch_model.bin");
        Fuzz(path, MutationsOfEach, MostBytesPerFile, () => Mutated(original, pickle, random), bytes =>
        {
            using var file = Checkpoint.Open(path);
            foreach (var name in file.Names)
            {
                var tensor = file.Load(name);
                Assert.Equal(file.Entry(name).Shape, tensor.shape);
                Assert.InRange(tensor.numel() * tensor.ElementSize, 0, bytes.Length);
                _ = Files.Bytes(tensor);
            }
        });
    }

    [Theory]
    [InlineData("N", "\x85")] // tuples within each other
    [InlineData("(", "t")]
    [InlineData("}", "b")]
    [InlineData("]", "a")]
    [InlineData("Nq\0", "h\0")]
    public void LongPicklesTakeNoLongTime(string first, string second)
    {
        var path = PathOf("pytorch_model.bin");
        var pickle = string.Concat(Enumerable.Repeat(first, 500_000)) + string.Concat(Enumerable.Repeat(second, 499_999)) + ".";
        File.WriteAllBytes(path, TorchArchive.Zip([("archive/data.pkl", [0x80, 2, .. Encoding.Latin1.GetBytes(pickle)])]));
        var watch = System.Diagnostics.Stopwatch.StartNew();
        var problem = Record.Exception(() => Checkpoint.Open(path).Dispose()); // a dictionary of nothing is a checkpoint of no tensors
        Assert.True(problem is null or CheckpointException, problem?.ToString());
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(20), $"{watch.Elapsed}");
    }

    private static byte[] Mutated(byte[] original, int pickle, Random random)
    {
        var bytes = original.ToArray();
        for (var rounds = random.Next(1, 4); rounds > 0; rounds--)
        {
            switch (random.Next(8))
            {
                case 0:
                    bytes = bytes[..random.Next(bytes.Length + 1)];
                    break;
                case 1:
                    bytes = [.. bytes, .. new byte[random.Next(1, 20)]];
                    break;
                case 2 when bytes.Length > 0:
                    bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
                    break;
                case 3 when bytes.Length > 100:
                    // The directory of the zip file is at the end.
                    bytes[random.Next(bytes.Length - 100, bytes.Length)] = (byte)random.Next(256);
                    break;
                default:
                    // Overwriting keeps the zip file whole, so that the pickle is reached.
                    var fragment = Fragments[random.Next(Fragments.Length)];
                    var at = pickle + random.Next(Math.Max(1, Math.Min(2500, bytes.Length - pickle)));
                    if (at + fragment.Length < bytes.Length)
                    {
                        fragment.CopyTo(bytes, at);
                    }

                    break;
            }
        }

        return bytes;
    }
}
