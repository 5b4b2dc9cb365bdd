using CsCheck;
using Toolkit.Native;

namespace Toolkit.Tests.Native;

public sealed class ElfVersionsTests
{
    [Fact]
    public void WeakensOneRequirementOfTorchSharpsLibrary()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "an ELF library is there on Linux only");
        var original = Image();
        var changed = original.ToArray();

        Assert.Equal(1, ElfVersions.Weaken(changed, "GLIBCXX_3.4.32"));

        var differences = original.Zip(changed).Count(pair => pair.First != pair.Second);
        Assert.Equal(1, differences);
        Assert.Equal(1, ElfVersions.Weaken(changed, "GLIBCXX_3.4.32"));
    }

    [Fact]
    public void LeavesALibraryAloneThatDoesNotAskForTheVersion()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "an ELF library is there on Linux only");
        var original = Image();
        var image = original.ToArray();
        Assert.Equal(0, ElfVersions.Weaken(image, "GLIBCXX_9.9.99"));
        Assert.Equal(original, image);
    }

    [Fact]
    public void SaysThatAFileIsNotElf() =>
        Assert.Contains("not a 64-bit", Assert.Throws<InvalidDataException>(() => ElfVersions.Weaken(new byte[100], "GLIBCXX_3.4.32")).Message);

    [Fact]
    public void DamagedFilesAreRefusedOrRead()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "an ELF library is there on Linux only");
        var image = Image();
        var sections = (int)BitConverter.ToUInt64(image, 0x28);
        Gen.Select(Gen.Int[0, 63].Select(Gen.Int[sections, image.Length - 1], (head, tail) => (head, tail)), Gen.Byte, Gen.Bool).Sample((place, value, head) =>
        {
            var damaged = image.ToArray();
            damaged[head ? place.head : place.tail] = value;
            try
            {
                ElfVersions.Weaken(damaged, "GLIBCXX_3.4.32");
            }
            catch (InvalidDataException)
            {
                // The one way to refuse.
            }
        }, iter: 200, threads: 1);
    }

    private static byte[] Image() => File.ReadAllBytes(NativeFiles.Find(NativeFiles.Name("LibTorchSharp"))!);
}
