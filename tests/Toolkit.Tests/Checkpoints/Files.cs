using System.Buffers.Binary;
using System.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Checkpoints;

/// <summary>Files and tensors for the tests of this room.</summary>
internal static class Files
{
    public static readonly ScalarType[] Types =
    [
        ScalarType.Float32, ScalarType.Float64, ScalarType.BFloat16, ScalarType.Float16, ScalarType.Int8, ScalarType.Byte, ScalarType.Int16, ScalarType.Int32,
        ScalarType.Int64, ScalarType.Bool, ScalarType.ComplexFloat32,
    ];

    /// <summary>A safetensors file of this header text and so many bytes of data.</summary>
    public static byte[] Of(string header, int dataBytes)
    {
        var json = Encoding.UTF8.GetBytes(header);
        var file = new byte[8 + json.Length + dataBytes];
        BinaryPrimitives.WriteInt64LittleEndian(file, json.Length);
        json.CopyTo(file, 8);
        for (var i = 8 + json.Length; i < file.Length; i++)
        {
            file[i] = (byte)i;
        }

        return file;
    }

    /// <summary>Pseudo-random values of a type, always the same for a seed.</summary>
    public static Tensor Values(ScalarType type, long[] shape, long seed)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator((ulong)seed);
        var values = randint(-100, 100, shape, ScalarType.Float32, generator: generator).div(8);
        return (type == ScalarType.ComplexFloat32 ? complex(values, values.neg()) : values.to(type)).MoveToOuterDisposeScope();
    }

    /// <summary>The bytes of a tensor, element by element.</summary>
    public static byte[] Bytes(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.numel() == 0 ? [] : tensor.contiguous().bytes.ToArray();
    }
}
