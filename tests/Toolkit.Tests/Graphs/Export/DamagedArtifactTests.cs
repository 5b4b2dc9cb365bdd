using Toolkit.Graphs;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Export;

/// <summary>Files that are damaged, or that somebody wrote, are refused with one line.</summary>
public sealed class DamagedArtifactTests : ArtifactTests
{
    [Fact]
    public void DamagedFiles_AreOneException()
    {
        var path = Save(Mlp().Compile(randn(3, 8)));
        var whole = File.ReadAllBytes(path);
        var random = new Random(3);
        var damaged = Path.Combine(Folder, "damaged.tkx");
        for (var i = 0; i < 210; i++)
        {
            var bytes = whole.ToArray();
            switch (i % 3)
            {
                case 0:
                    bytes[random.Next(i % 2 == 0 ? bytes.Length : 64)] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    bytes = bytes[..random.Next(bytes.Length)];
                    break;
                default:
                    bytes = [.. bytes, .. new byte[random.Next(1, 100)]];
                    break;
            }

            File.WriteAllBytes(damaged, bytes);
            var problem = Assert.Throws<CompiledArtifactException>(() => Compiled.Load(damaged));
            Assert.StartsWith(damaged, problem.Message);
            Assert.DoesNotContain('\n', problem.Message);
        }

        Assert.Throws<CompiledArtifactException>(() => Compiled.Load(Path.Combine(Folder, "none.tkx")));
        Assert.Throws<CompiledArtifactException>(() => Compiled.Load(Folder));
        BitConverter.TryWriteBytes(whole.AsSpan(8), 2);
        File.WriteAllBytes(damaged, whole);
        Assert.Contains("its format is 2", Assert.Throws<CompiledArtifactException>(() => Compiled.Load(damaged)).Message);
    }

    [Theory]
    [InlineData("\"libTorch\": \"", "\"libTorch\": \"9", "it was saved with libtorch 9")]
    [InlineData("\"argument\": 0", "\"argument\": 7", "it cannot be used: input 0 of")]
    [InlineData("\"weight\": \"0.weight\"", "\"weight\": \"0.other\"", "is neither an argument nor a weight")]
    [InlineData("\"kind\": \"tensor\"", "\"kind\": \"process\"", "it cannot be used: there is no process of")]
    [InlineData("\"format\": 1", "\"format\": {}", "its description cannot be read")]
    [InlineData("\"name\": \"weights.safetensors\"", "\"nbme\": \"weights.safetensors\"", "its description cannot be read")]
    [InlineData("\"entries\": [", "\"entries\": [null, ", "it cannot be read")]
    [InlineData("\"dType\": \"f32\"", "\"dType\": \"f99\"", "f99 is no type of values")]
    public void FilesThatSomebodyWrote_AreRefusedToo(string old, string replacement, string message)
    {
        var path = Save(nn.Sequential(nn.Linear(8, 4)).Compile(randn(3, 8)));
        var bytes = File.ReadAllBytes(path);
        var offset = BitConverter.ToInt64(bytes, bytes.Length - 56);
        var description = System.Text.Encoding.UTF8.GetString(bytes, (int)offset, bytes.Length - 56 - (int)offset);
        Assert.Contains(old, description, StringComparison.Ordinal);
        var changed = System.Text.Encoding.UTF8.GetBytes(description.Replace(old, replacement, StringComparison.Ordinal));
        File.WriteAllBytes(path, Described(bytes, (int)offset, changed));
        Assert.Contains(message, Assert.Throws<CompiledArtifactException>(() => Compiled.Load(path)).Message);
    }

    [Fact]
    public void DescriptionsThatSomebodyWrote_AreRefusedOrRight()
    {
        var module = nn.Sequential(nn.Linear(8, 4));
        var path = Save(module.Compile(randn(3, 8)));
        var bytes = File.ReadAllBytes(path);
        var offset = (int)BitConverter.ToInt64(bytes, bytes.Length - 56);
        var description = bytes[offset..^56];
        var random = new Random(5);
        var (refused, x) = (0, randn(3, 8));
        for (var i = 0; i < 120; i++)
        {
            var changed = description.ToArray();
            for (var n = random.Next(1, 4); n > 0; n--)
            {
                changed[random.Next(changed.Length)] = (byte)random.Next(32, 127);
            }

            File.WriteAllBytes(path, Described(bytes, offset, changed));
            try
            {
                using var artifact = Compiled.Load(path);
                artifact.Run(x);
            }
            catch (CompiledArtifactException)
            {
                refused++;
            }
        }

        Assert.InRange(refused, 60, 119);
    }

    /// <summary>The file with another description and the checksum that belongs to it.</summary>
    private static byte[] Described(byte[] file, int offset, byte[] description) =>
        [.. file.AsSpan(0, offset), .. description, .. BitConverter.GetBytes((long)offset), .. BitConverter.GetBytes((long)description.Length), .. System.Security.Cryptography.SHA256.HashData(description), .. file.AsSpan(file.Length - 8)];
}
