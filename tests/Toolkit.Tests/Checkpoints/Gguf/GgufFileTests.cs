using Toolkit.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Checkpoints;

/// <summary>ggml-types.gguf was written by ggml's own library: tensors that it quantized, and beside each what it makes of them.</summary>
public sealed class GgufFileTests : IDisposable
{
    private static readonly string Types = Path.Combine(Fixtures.Folder, "gguf", "ggml-types.gguf");
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gguf");

    private string FilePath => Path.Combine(_folder.FullName, "model.gguf");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void MetadataOfEveryTypeIsRead()
    {
        using var file = GgufFile.Open(Types);
        var metadata = file.Metadata;
        Assert.Equal(3, file.Version);
        Assert.Equal("general.architecture", metadata.Keys.First());
        Assert.Equal((byte)200, metadata["a.u8"]);
        Assert.Equal((sbyte)-100, metadata["a.i8"]);
        Assert.Equal((ushort)60000, metadata["a.u16"]);
        Assert.Equal((short)-30000, metadata["a.i16"]);
        Assert.Equal(4_000_000_000u, metadata["a.u32"]);
        Assert.Equal(-2_000_000_000, metadata["a.i32"]);
        Assert.Equal(1.5f, metadata["a.f32"]);
        Assert.Equal(18_000_000_000_000_000_000ul, metadata["a.u64"]);
        Assert.Equal(-9_000_000_000_000_000_000L, metadata["a.i64"]);
        Assert.Equal(1e-300, metadata["a.f64"]);
        Assert.Equal(true, metadata["a.bool"]);
        Assert.Equal("héllo 🙂", metadata["a.text"]);
        Assert.Equal(new[] { 1, -2, 3 }, metadata["a.ints"]);
        Assert.Equal(new[] { 0.5f, -0.25f }, metadata["a.floats"]);
        Assert.Equal(new[] { true, false, true }, metadata["a.bools"]);
        Assert.Equal(new[] { "one", "", "three" }, metadata["a.texts"]);
        Assert.Equal(new[] { 1ul, ulong.MaxValue }, metadata["a.longs"]);
        Assert.Equal(new[] { 1e300 }, metadata["a.doubles"]);
        Assert.Equal(Array.Empty<short>(), metadata["a.nothing"]);
    }

    [Fact]
    public void MetadataIsReadAsWhatItIsMeantToBe()
    {
        using var file = GgufFile.Open(Types);
        var metadata = file.Metadata;
        Assert.Equal(200, metadata.Integer("a.u8"));
        Assert.Equal(-30000, metadata.Integer("a.i16"));
        Assert.Equal(-30000.0, metadata.Number("a.i16"));
        Assert.Equal(1.8e19, metadata.Number("a.u64"));
        Assert.Equal([1L, -2, 3], metadata.Integers("a.ints")!);
        Assert.Equal([1.0, -2, 3], metadata.Numbers("a.ints")!);
        Assert.Equal([], metadata.Integers("a.nothing")!);
        Assert.True(metadata.Flag("a.bool"));
        Assert.Null(metadata.Integer("none"));
        Assert.Null(metadata.Texts("none"));
        Assert.Contains("the metadata \"a.u64\" is 18000000000000000000, not a whole number", Assert.Throws<CheckpointException>(() => metadata.Integer("a.u64")).Message);
        Assert.Contains($"{Types}: the metadata \"a.text\" is héllo 🙂, not a number", Assert.Throws<CheckpointException>(() => metadata.Number("a.text")).Message);
        Assert.Contains("is an array of 3, not an array of whole numbers", Assert.Throws<CheckpointException>(() => metadata.Integers("a.texts")).Message);
    }

    [Theory]
    [InlineData("f16")]
    [InlineData("bf16")]
    [InlineData("q8_0")]
    [InlineData("q4_0")]
    [InlineData("q4_1")]
    [InlineData("q5_0")]
    [InlineData("q5_1")]
    [InlineData("q4_K")]
    [InlineData("q5_K")]
    [InlineData("q6_K")]
    public void NumbersAreGgmlsBitForBit(string type)
    {
        using var scope = NewDisposeScope();
        using var file = GgufFile.Open(Types);
        var actual = file.Load(type);
        Assert.Equal([4, 256], actual.shape);
        Assert.Equal(type switch { "f16" => ScalarType.Float16, "bf16" => ScalarType.BFloat16, _ => ScalarType.Float32 }, actual.dtype);
        Assert.Equal(Files.Bytes(file.Load(type + ".expected")), Files.Bytes(actual.to_type(ScalarType.Float32)));
    }

    [Theory]
    [InlineData(GgufType.F32, "source")]
    [InlineData(GgufType.F16, "f16")]
    [InlineData(GgufType.BF16, "bf16")]
    [InlineData(GgufType.Q8_0, "q8_0")]
    [InlineData(GgufType.Q4_0, "q4_0")]
    public void WhatIsWrittenIsGgmlsBitForBit(GgufType type, string expected)
    {
        using var scope = NewDisposeScope();
        using var file = GgufFile.Open(Types);
        GgufFile.Save(FilePath, new([]), [KeyValuePair.Create("w", file.Load("source"))], (_, _) => type);
        using var written = GgufFile.Open(FilePath);
        Assert.Equal(type, written.Tensors["w"].Type);
        Assert.Equal(Raw(Types, file, expected), Raw(FilePath, written, "w"));
    }

    [Fact]
    public void ScalarAndVectorReadersAgreeOnRandomBlocks()
    {
        var random = new Random(7);
        foreach (var type in BlockFormat.Types)
        {
            var format = BlockFormat.Find(type)!;
            var blocks = new byte[format.Layout.BlockBytes * 50];
            random.NextBytes(blocks);
            var actual = new float[format.Layout.BlockLength * 50];
            unsafe
            {
                fixed (byte* source = blocks)
                fixed (float* target = actual)
                {
                    format.Dequantize(source, target, 50);
                }
            }

            Assert.Equal(ScalarBlocks.Dequantize(type, blocks).Select(Bits), actual.Select(Bits));
        }

        // Random scales may be no numbers, of which there are several.
        static int Bits(float value) => float.IsNaN(value) ? int.MinValue : BitConverter.SingleToInt32Bits(value);
    }

    [Fact]
    public void EverythingComesBack()
    {
        using var scope = NewDisposeScope();
        var tensors = new Dictionary<string, Tensor>
        {
            ["f32"] = Files.Values(ScalarType.Float32, [3, 5], 1),
            ["scalar"] = tensor(2.5f),
            ["empty"] = empty([0, 32]),
            ["deep"] = Files.Values(ScalarType.Float32, [2, 3, 4, 5], 2),
            ["turned"] = Files.Values(ScalarType.Float32, [6, 4], 3).t(),
            ["f64"] = Files.Values(ScalarType.Float64, [7], 4),
            ["i8"] = Files.Values(ScalarType.Int8, [7], 5),
            ["i16"] = Files.Values(ScalarType.Int16, [7], 6),
            ["i32"] = Files.Values(ScalarType.Int32, [7], 7),
            ["i64"] = Files.Values(ScalarType.Int64, [7], 8),
        };
        using var types = GgufFile.Open(Types);
        var metadata = new GgufMetadata([.. types.Metadata, new("general.alignment", 64u), new("nested", new Array[] { new[] { 1 }, Array.Empty<string>() })]);
        GgufFile.Save(FilePath, metadata, tensors, (_, tensor) => tensor.dtype switch
        {
            ScalarType.Float64 => GgufType.F64,
            ScalarType.Int8 => GgufType.I8,
            ScalarType.Int16 => GgufType.I16,
            ScalarType.Int32 => GgufType.I32,
            ScalarType.Int64 => GgufType.I64,
            _ => GgufType.F32,
        });
        using var file = GgufFile.Open(FilePath);
        Assert.Equal(metadata.Keys, file.Metadata.Keys);
        Assert.Equal(metadata.Values, file.Metadata.Values);
        Assert.Equal(tensors.Keys, file.Tensors.Keys);
        foreach (var (name, expected) in tensors)
        {
            var actual = file.Load(name);
            Assert.Equal(expected.shape, actual.shape);
            Assert.Equal(expected.dtype, actual.dtype);
            Assert.Equal(Files.Bytes(expected), Files.Bytes(actual));
            Assert.Equal(0, file.Tensors[name].Offset % 64);
        }
    }

    [Fact]
    public void PlainNumbersAreViewsOfTheMap()
    {
        using var scope = NewDisposeScope();
        GgufFile.Save(FilePath, new([]), [KeyValuePair.Create("w", ones(1000))], (_, _) => GgufType.F32);
        using var file = GgufFile.Open(FilePath);
        file.Load("w")[0] = 7f;
        Assert.Equal(7f, file.Load("w")[0].item<float>());
        using var again = GgufFile.Open(FilePath);
        Assert.Equal(1f, again.Load("w")[0].item<float>());
    }

    [Fact]
    public void WhatCannotBeReadOrWrittenIsNamed()
    {
        using var scope = NewDisposeScope();
        using var file = GgufFile.Open(Types);
        Assert.Equal(GgufType.Q2_K, file.Tensors["q2_K"].Type);
        Complains(() => file.Load("q2_K"), Types, "tensor \"q2_K\": it is stored as Q2_K, which cannot be read");
        Complains(() => file.Load("none"), Types, "tensor \"none\": the file has no tensor of that name");
        Complains(() => Save(ones(33), GgufType.Q8_0), FilePath, "tensor \"w\": its rows of 33 numbers are no whole blocks of 32 (Q8_0)");
        Complains(() => Save(ones(256), GgufType.Q4_K), FilePath, "tensor \"w\": Float32 cannot be written as Q4_K");
        Complains(() => Save(ones(3, ScalarType.Int64), GgufType.F32), FilePath, "tensor \"w\": Int64 cannot be written as F32");
        Complains(() => Save(ones([1, 1, 1, 1, 1]), GgufType.F32), FilePath, "tensor \"w\": it is of 5 dimensions");
        Complains(() => GgufFile.Save(FilePath, new([new("general.alignment", 24u)]), [], (_, _) => GgufType.F32), FilePath, "an alignment of 24");
        Assert.Contains("the metadata \"x\" is a Decimal", Assert.Throws<ArgumentException>(() => new GgufMetadata([new("x", 1m)])).Message);
        Assert.Empty(_folder.GetFiles());

        void Save(Tensor tensor, GgufType type) => GgufFile.Save(FilePath, new([]), [KeyValuePair.Create("w", tensor)], (_, _) => type);
    }

    [Theory]
    [InlineData("", "it ends within the magic number")]
    [InlineData("47475546", "it ends within the version")]
    [InlineData("4747554700000000", "it does not begin with GGUF")]
    [InlineData("4747554601000000", "GGUF version 1 has 32-bit lengths")]
    [InlineData("4747554600000003", "big-endian")]
    [InlineData("4747554604000000", "GGUF version 4 is not known")]
    [InlineData("4747554603000000FFFFFFFFFFFFFFFF", "18446744073709551615 tensors are announced, the 0 bytes that follow cannot hold them")]
    [InlineData("474755460300000000000000000000000100000000000000FFFFFFFFFFFFFF7F0000000000", "bytes of a metadata key are announced")]
    [InlineData("4747554603000000000000000000000001000000000000000100000000000000610D000000", "the metadata \"a\" is of type 13, which is not known")]
    [InlineData("47475546030000000000000000000000010000000000000001000000000000006107000000" + "02", "the metadata \"a\" is 2, not true (1) or false (0)")]
    [InlineData("4747554603000000000000000000000001000000000000000100000000000000610900000005000000FFFFFFFF00000000", "numbers of the metadata \"a\" are announced")]
    public void MalformedHeadersAreRefused(string hex, string expected)
    {
        File.WriteAllBytes(FilePath, Convert.FromHexString(hex));
        Complains(() => GgufFile.Open(FilePath), FilePath, expected);
    }

    [Theory]
    [InlineData(2u, 1L, 0u, 0L, 6, "its 8 bytes begin at byte 0 of the data, the file holds")]
    [InlineData(1u << 20, 1L << 50, 0u, 0L, 8, "is more than 9223372036854775807 bytes")]
    [InlineData(2u, -1L, 0u, 0L, 8, "is more than 9223372036854775807 bytes")]
    [InlineData(2u, 1L, 0u, 7L, 8, "its offset 7 is not a multiple of the alignment 32")]
    [InlineData(2u, 1L, 4u, 0L, 8, "its type 4 is not known")]
    [InlineData(2u, 1L, 2u, 0L, 8, "its rows of 2 numbers are no whole blocks of 32 (Q4_0)")]
    [InlineData(2u, 1L, 0u, 9223372036854775776L, 8, "begin at byte 9223372036854775776 of the data")]
    public void MalformedTensorsAreRefused(uint row, long rows, uint type, long offset, int dataBytes, string expected)
    {
        using (var writer = new BinaryWriter(File.Create(FilePath)))
        {
            writer.Write(0x46554747u);
            writer.Write(3u);
            writer.Write(1ul);
            writer.Write(0ul);
            writer.Write(1ul);
            writer.Write('w');
            writer.Write(2u);
            writer.Write((ulong)row);
            writer.Write(rows);
            writer.Write(type);
            writer.Write(offset);
            writer.Write(new byte[96 - writer.BaseStream.Position + dataBytes]);
        }

        Complains(() => GgufFile.Open(FilePath), FilePath, "tensor \"w\": ", expected);
    }

    private static byte[] Raw(string path, GgufFile file, string name)
    {
        var bytes = File.ReadAllBytes(path);
        var end = file.Tensors.Values.Max(tensor => tensor.Offset + ((tensor.ByteCount + 31) / 32 * 32));
        var start = bytes.Length - end;
        return bytes.AsSpan((int)(start + file.Tensors[name].Offset), (int)file.Tensors[name].ByteCount).ToArray();
    }

    private static void Complains(Action act, string path, params string[] expected)
    {
        var problem = Assert.Throws<CheckpointException>(act);
        Assert.All(expected, part => Assert.Contains(part, problem.Message));
        Assert.StartsWith(path, problem.Message);
    }
}
