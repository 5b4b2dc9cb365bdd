using CsCheck;
using Toolkit.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Checkpoints;

public sealed class SafeTensorsFileTests : IDisposable
{
    private static readonly Gen<(ScalarType Type, long[] Shape, string Name)> AnyTensor = Gen.Select(
        Gen.Int[0, Files.Types.Length - 1].Select(index => Files.Types[index]), Gen.Long[0, 5].Array[0, 4], Gen.String[Gen.Char["abc.layers_01 ü日\"\\\n"], 0, 12]);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("safetensors");

    private string FilePath => Path.Combine(_folder.FullName, "model.safetensors");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void WhatIsWrittenIsRead() => AnyTensor.Array[0, 8].Sample(described =>
    {
        using var scope = NewDisposeScope();
        var tensors = described.DistinctBy(tensor => tensor.Name).Index().ToDictionary(item => item.Item.Name, item => Files.Values(item.Item.Type, item.Item.Shape, item.Index));
        var metadata = described.Length % 2 == 0 ? null : new Dictionary<string, string> { ["ключ"] = "a \"value\"\n", ["empty"] = "" };
        SafeTensorsFile.Save(FilePath, tensors, metadata);
        using var file = SafeTensorsFile.Open(FilePath);
        Assert.Equal(tensors.Keys.Order(), file.Entries.Keys.Order());
        Assert.Equal(metadata ?? new() { ["format"] = "pt" }, file.Metadata);
        foreach (var (name, expected) in tensors)
        {
            var actual = file.Load(name);
            Assert.Equal(expected.dtype, actual.dtype);
            Assert.Equal(expected.shape, actual.shape);
            Assert.Equal(Files.Bytes(expected), Files.Bytes(actual));
        }
    }, iter: 400, threads: 1);

    [Fact]
    public void ViewsAreWrittenAsWhatTheyShow()
    {
        using var scope = NewDisposeScope();
        var all = arange(24, ScalarType.Float32).view(4, 6);
        SafeTensorsFile.Save(FilePath, new Dictionary<string, Tensor> { ["transposed"] = all.t(), ["part"] = all.narrow(1, 2, 3), ["whole"] = all, ["wide"] = all[0].expand(3, 6) });
        using var file = SafeTensorsFile.Open(FilePath);
        Assert.True(file.Load("transposed").equal(all.t()).all().item<bool>());
        Assert.True(file.Load("part").equal(all.narrow(1, 2, 3)).all().item<bool>());
        Assert.True(file.Load("wide").equal(all[0].expand(3, 6)).all().item<bool>());
    }

    [Theory]
    [InlineData("llama-gqa")]
    [InlineData("llama-tied")]
    public void WritesTheVeryBytesThatHuggingFaceWrites(string model)
    {
        var original = Path.Combine(Fixtures.Folder, "references", model, "model.safetensors");
        using var scope = NewDisposeScope();
        using var file = SafeTensorsFile.Open(original);
        SafeTensorsFile.Save(FilePath, file.Entries.Keys.ToDictionary(name => name, file.Load), file.Metadata);
        Assert.Equal(File.ReadAllBytes(original), File.ReadAllBytes(FilePath));
    }

    [Fact]
    public void TypesAreLaidOutInHuggingFacesOrder()
    {
        using var scope = NewDisposeScope();
        ScalarType[] types = [ScalarType.Int32, ScalarType.Float32, ScalarType.Float16, ScalarType.BFloat16, ScalarType.Bool, ScalarType.Byte, ScalarType.Int64];
        SafeTensorsFile.Save(FilePath, types.Index().ToDictionary(type => $"{(char)('a' + type.Index)}", type => Files.Values(type.Item, [2], 1)));
        using var file = SafeTensorsFile.Open(FilePath);
        Assert.Equal(["I64", "F32", "I32", "BF16", "F16", "U8", "BOOL"], file.Entries.Values.OrderBy(entry => entry.Begin).Select(entry => entry.DataType));
    }

    [Fact]
    public void LoadingTouchesNoDataAndOutlivesTheFile()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "/proc/self/smaps tells what is mapped");
        const long count = 16 << 20;
        using (var values = ones(count, ScalarType.Float32))
        {
            SafeTensorsFile.Save(FilePath, new Dictionary<string, Tensor> { ["w"] = values });
        }

        var file = SafeTensorsFile.Open(FilePath);
        var tensor = file.Load("w");
        Assert.InRange(Resident(FilePath)!.Value, 0, 1 << 20);

        file.Dispose();
        File.Delete(FilePath);
        for (var i = 0; i < 5; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        using (var sum = tensor.sum())
        {
            Assert.Equal(count, sum.item<float>());
        }

        Assert.InRange(Resident(FilePath)!.Value, 60L << 20, 70L << 20);
        tensor.Dispose();
        Assert.Null(Resident(FilePath));
    }

    [Fact]
    public void TensorsThatAreForgottenReleaseTheMap()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "/proc/self/smaps tells what is mapped");
        SaveOnes("w");
        Forget();
        for (var i = 0; i < 20 && Resident(FilePath) is not null; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        Assert.Null(Resident(FilePath));

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
        void Forget()
        {
            using var file = SafeTensorsFile.Open(FilePath);
            _ = file.Load("w");
            Assert.NotNull(Resident(FilePath));
        }
    }

    [Fact]
    public void WritingToATensorDoesNotChangeTheFile()
    {
        SaveOnes("w");
        var before = File.ReadAllBytes(FilePath);
        using (var scope = NewDisposeScope())
        {
            using var file = SafeTensorsFile.Open(FilePath);
            file.Load("w").fill_(7);
        }

        Assert.Equal(before, File.ReadAllBytes(FilePath));
    }

    [Fact]
    public void AFileThatIsOpenCanBeReplaced()
    {
        SaveOnes("w");
        using var scope = NewDisposeScope();
        using var file = SafeTensorsFile.Open(FilePath);
        var old = file.Load("w");
        SafeTensorsFile.Save(FilePath, new Dictionary<string, Tensor> { ["w"] = old.mul(3) });
        Assert.Equal(1f, old.max().item<float>());
        using var replaced = SafeTensorsFile.Open(FilePath);
        Assert.Equal(3f, replaced.Load("w").min().item<float>());
    }

    [Fact]
    public void TypesThatTorchSharpLacksAreListedButNotLoaded()
    {
        File.WriteAllBytes(FilePath, Files.Of("""{"w":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}""", 4));
        using var file = SafeTensorsFile.Open(FilePath);
        Assert.Equal("F8_E4M3", file.Entries["w"].DataType);
        Complains(() => file.Load("w"), "tensor \"w\"", "TorchSharp has no scalar type for F8_E4M3");
    }

    [Fact]
    public void DataThatIsNotAlignedIsCopied()
    {
        File.WriteAllBytes(FilePath, Files.Of("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}}""", 9));
        using var scope = NewDisposeScope();
        using var file = SafeTensorsFile.Open(FilePath);
        Assert.Equal(File.ReadAllBytes(FilePath)[^8..], Files.Bytes(file.Load("b")));
    }

    [Theory]
    [InlineData("""{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 4, "it ends at byte 8 of the data, the file holds 4")]
    [InlineData("""{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 9, "the last tensor ends at byte 8")]
    [InlineData("""{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", 8, "tensor \"w\": F32 [3] is 12 bytes")]
    [InlineData("""{"w":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}}""", 8, "tensor \"w\": dtype \"F33\" is not known")]
    [InlineData("""{"w":{"dtype":3,"shape":[2],"data_offsets":[0,8]}}""", 8, "tensor \"w\": its dtype is not a string")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, "tensor \"b\": it overlaps the tensor before it")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}""", 12, "tensor \"b\": bytes before it belong to no tensor")]
    [InlineData("""{"w":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", 8, "tensor \"w\": its shape holds something else")]
    [InlineData("""{"w":{"dtype":"F32","shape":[1.5],"data_offsets":[0,8]}}""", 8, "tensor \"w\": its shape holds something else")]
    [InlineData("""{"w":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}""", 0, "tensor \"w\": F32 [4611686018427387904, 4] is more than")]
    [InlineData("""{"w":{"dtype":"F32","shape":[0,9223372036854775807,9223372036854775807],"data_offsets":[0,0]}}""", 0, "is more than")]
    [InlineData("""{"w":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", 8, "tensor \"w\"")]
    [InlineData("""{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8,9]}}""", 8, "tensor \"w\": its data_offsets has more than 2")]
    [InlineData("""{"w":{"dtype":"F32","shape":[2]}}""", 8, "tensor \"w\": its entry in the header lacks data_offsets")]
    [InlineData("""{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8, "tensor \"w\": the header lists this name twice")]
    [InlineData("""{"w":7}""", 0, "tensor \"w\": its entry in the header is not an object")]
    [InlineData("""{"__metadata__":{"a":1}}""", 0, "__metadata__ \"a\" is not a string")]
    [InlineData("""{"__metadata__":[]}""", 0, "__metadata__ is not an object")]
    [InlineData("""{"w":{"dtype":"F32" """, 0, "the header is not valid JSON")]
    [InlineData("""{} x""", 0, "the header is not valid JSON")]
    [InlineData("""[]""", 0, "the header does not begin with '{'")]
    [InlineData("", 0, "the header does not begin with '{'")]
    public void MalformedFilesAreRefused(string header, int dataBytes, string expected)
    {
        File.WriteAllBytes(FilePath, Files.Of(header, dataBytes));
        Complains(() => SafeTensorsFile.Open(FilePath), expected);
    }

    [Theory]
    [InlineData(new byte[] { }, "0 bytes are too few")]
    [InlineData(new byte[] { 1, 2, 3 }, "3 bytes are too few")]
    [InlineData(new byte[] { 200, 0, 0, 0, 0, 0, 0, 0, (byte)'{' }, "a header of 200 bytes is announced, the file has 1")]
    [InlineData(new byte[] { 255, 255, 255, 255, 255, 255, 255, 255, (byte)'{' }, "a header of 18446744073709551615 bytes is announced")]
    [InlineData(new byte[] { 4, 0, 0, 0, 0, 0, 0, 0, (byte)'{', 0xFF, 0xFE, (byte)'}' }, "not valid JSON")]
    public void FilesThatAreNoneAreRefused(byte[] content, string expected)
    {
        File.WriteAllBytes(FilePath, content);
        Complains(() => SafeTensorsFile.Open(FilePath), expected);
    }

    [Fact]
    public void DeeplyNestedJsonIsRefused()
    {
        File.WriteAllBytes(FilePath, Files.Of("{\"w\":{\"x\":" + new string('[', 100_000) + new string(']', 100_000) + "}}", 0));
        Complains(() => SafeTensorsFile.Open(FilePath), "not valid JSON");
    }

    [Fact]
    public void WhatIsNotThereIsNamed()
    {
        Complains(() => SafeTensorsFile.Open(FilePath), "it cannot be read");
        SaveOnes("w");
        using var file = SafeTensorsFile.Open(FilePath);
        Complains(() => file.Load("v"), "tensor \"v\": the file has no tensor of that name");
    }

    [Fact]
    public void WhatCannotBeStoredIsNamedAndLeavesNothingBehind()
    {
        using var scope = NewDisposeScope();
        var disposed = ones(2);
        disposed.Dispose();
        Complains(() => Save("w", disposed), "tensor \"w\": it is null or was disposed");
        Complains(() => Save("__metadata__", ones(2)), "cannot hold a tensor of that name");
        Complains(() => Save("\uD800", ones(2)), "cannot hold a tensor of that name");
        Complains(() => Save("w", ones(2, ScalarType.ComplexFloat64)), "tensor \"w\": the format cannot hold ComplexFloat64");
        Complains(() => SafeTensorsFile.Save(Path.Combine(_folder.FullName, "none", "w.safetensors"), new Dictionary<string, Tensor>()), "it cannot be written");
        Assert.Empty(_folder.GetFiles());

        void Save(string name, Tensor tensor) => SafeTensorsFile.Save(FilePath, new Dictionary<string, Tensor> { ["fine"] = ones(3), [name] = tensor });
    }

    private static long? Resident(string path)
    {
        // Each mapping has a line with its path, then lines of counters.
        long? resident = null;
        var inside = false;
        foreach (var line in File.ReadLines("/proc/self/smaps"))
        {
            if (line.Contains('-') && line.IndexOf('-') < line.IndexOf(' '))
            {
                inside = line.Contains(path, StringComparison.Ordinal);
                resident = inside ? resident ?? 0 : resident;
            }
            else if (inside && line.StartsWith("Rss:", StringComparison.Ordinal))
            {
                resident += long.Parse(line.AsSpan(4).Trim().ToString().Split(' ')[0]) * 1024;
            }
        }

        return resident;
    }

    private void SaveOnes(string name)
    {
        using var values = ones(1000);
        SafeTensorsFile.Save(FilePath, new Dictionary<string, Tensor> { [name] = values });
    }

    private void Complains(Action act, params string[] expected)
    {
        var problem = Assert.Throws<CheckpointException>(act);
        Assert.All(expected, part => Assert.Contains(part, problem.Message));
        Assert.StartsWith(_folder.FullName, problem.Message);
    }
}
