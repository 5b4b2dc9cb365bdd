using System.Buffers.Binary;
using System.Text;
using Toolkit.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Checkpoints;

/// <summary>Whatever is in a file, opening it gives tensors that can be read, or a <see cref="CheckpointException"/>.</summary>
public sealed class SafeTensorsFuzzTests : FileFuzzTests
{
    private const int MutationsOfEach = 34_000;
    private const long MostBytesPerFile = 1 << 20;

    private static readonly string[] Fragments =
    [
        "0", "-1", "1e9", "1.5", "18446744073709551615", "9223372036854775807", "4611686018427387904", "null", "true", "\"\"", "[]", "{}", "\"F64\"", "\"U8\"", "\"BOOL\"", "\"F8_E4M3\"",
        "\"dtype\"", "\"shape\"", "\"data_offsets\"", "\"__metadata__\"", "[0,0]", "[1,1,1]", "[[[[", "\\uD800", "\\u0000", "\uFEFF", "}", "{", "]", ",", ":", "\"", " ", "\n",
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void EveryMutatedFileIsReadOrRefused(int seed)
    {
        var random = new Random(seed);
        var original = seed == 1 ? WithAllTypes() : seed == 2 ? Files.Of("""{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}""", 16) : Few();
        var path = PathOf("model.safetensors");
        Fuzz(path, MutationsOfEach, MostBytesPerFile, () => Mutated(original, random), _ =>
        {
            using var file = SafeTensorsFile.Open(path);
            ReadAll(file);
        });
    }

    private static void ReadAll(SafeTensorsFile file)
    {
        foreach (var (name, entry) in file.Entries)
        {
            Tensor tensor;
            try
            {
                tensor = file.Load(name);
            }
            catch (CheckpointException) when (entry.ScalarType is null)
            {
                continue;
            }

            Assert.Equal(entry.Shape, tensor.shape);
            if (tensor.numel() > 0)
            {
                // The last byte of the tensor is the farthest that can be read.
                var bytes = tensor.bytes;
                Assert.Equal(entry.ByteCount, bytes.Length);
                _ = bytes[^1] + bytes[0];
            }
        }
    }

    private static byte[] Mutated(byte[] original, Random random)
    {
        var bytes = original.ToArray();
        for (var rounds = random.Next(1, 4); rounds > 0; rounds--)
        {
            bytes = random.Next(6) switch
            {
                0 => bytes[..random.Next(bytes.Length + 1)],
                1 => Flip(bytes, random),
                2 => [.. bytes, .. new byte[random.Next(1, 20)]],
                3 => Prefix(bytes, random),
                _ => Header(bytes, random),
            };
        }

        return bytes;
    }

    private static byte[] Flip(byte[] bytes, Random random)
    {
        if (bytes.Length > 0)
        {
            bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
        }

        return bytes;
    }

    private static byte[] Prefix(byte[] bytes, Random random)
    {
        if (bytes.Length >= 8)
        {
            var length = BinaryPrimitives.ReadInt64LittleEndian(bytes);
            BinaryPrimitives.WriteInt64LittleEndian(bytes, random.Next(3) switch { 0 => length + random.Next(-4, 5), 1 => random.NextInt64(), _ => random.Next(bytes.Length) });
        }

        return bytes;
    }

    /// <summary>Cuts something out of the header text and puts something in, and corrects the announced length most of the time.</summary>
    private static byte[] Header(byte[] bytes, Random random)
    {
        if (bytes.Length < 8 || BinaryPrimitives.ReadInt64LittleEndian(bytes) is var length && (length <= 0 || length > bytes.Length - 8))
        {
            return bytes;
        }

        var header = Encoding.Latin1.GetString(bytes, 8, (int)length);
        var (at, cut) = (random.Next(header.Length), random.Next(0, 6));
        if (random.Next(2) == 0 && header.AsSpan(at).IndexOfAnyInRange('0', '9') is >= 0 and var digit)
        {
            // A number of a shape or an offset becomes another one.
            at += digit;
            cut = 1;
        }

        var fragment = random.Next(3) == 0 ? Fragments[random.Next(Fragments.Length)] : random.Next(0, 20).ToString();
        header = header[..at] + fragment + header[Math.Min(header.Length, at + cut)..];
        var changed = Encoding.UTF8.GetBytes(header);
        byte[] result = [.. bytes[..8], .. changed, .. bytes[(8 + (int)length)..]];
        if (random.Next(10) > 0)
        {
            BinaryPrimitives.WriteInt64LittleEndian(result, changed.Length);
        }

        return result;
    }

    private static byte[] Few() => Files.Of(
        """{"__metadata__":{"format":"pt"},"a":{"dtype":"I8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[],"data_offsets":[3,4]},"c":{"dtype":"BOOL","shape":[0,5],"data_offsets":[4,4]}}""", 4);

    private byte[] WithAllTypes()
    {
        using var scope = NewDisposeScope();
        var path = PathOf("all.safetensors");
        SafeTensorsFile.Save(path, Files.Types.ToDictionary(type => type.ToString(), type => Files.Values(type, [2, 3], 1)));
        return File.ReadAllBytes(path);
    }
}
