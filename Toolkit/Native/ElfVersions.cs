using System.Buffers.Binary;
using System.Text;

namespace Toolkit.Native;

/// <summary>The versions that an ELF library asks of the libraries it needs (section <c>.gnu.version_r</c>, 64-bit little-endian).</summary>
internal static class ElfVersions
{
    private const uint VersionNeeded = 0x6ffffffe;
    private const byte WeakFlag = 2;
    private const int SectionTable = 0x28;
    private const int SectionSize = 0x3A;
    private const int SectionCount = 0x3C;

    /// <summary>The name of the format, 64 bit, little-endian.</summary>
    private static ReadOnlySpan<byte> Magic => [0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1];

    /// <summary>Marks every requirement of <paramref name="version"/> as weak, so that the loader only warns where it is missing.</summary>
    /// <param name="image">The whole file; it is changed.</param>
    /// <param name="version">Name of the version, such as GLIBCXX_3.4.32.</param>
    /// <returns>Requirements marked.</returns>
    /// <exception cref="InvalidDataException">The file is not a 64-bit little-endian ELF file, or is damaged.</exception>
    public static int Weaken(Span<byte> image, string version)
    {
        if (image.Length < 64 || !image.StartsWith(Magic))
        {
            throw new InvalidDataException("not a 64-bit little-endian ELF file");
        }

        try
        {
            return WeakenSections(image, Encoding.ASCII.GetBytes(version));
        }
        catch (Exception problem) when (problem is ArgumentOutOfRangeException or OverflowException)
        {
            throw new InvalidDataException("a section of the ELF file lies outside of it", problem);
        }
    }

    private static int WeakenSections(Span<byte> image, ReadOnlySpan<byte> version)
    {
        var (sections, size, count, marked) = (Long(image, SectionTable), Short(image, SectionSize), Short(image, SectionCount), 0);
        for (var i = 0; i < count; i++)
        {
            var section = checked(sections + (i * size));
            if (Int(image, section + 4) != VersionNeeded)
            {
                continue;
            }

            var names = Long(image, checked(sections + ((int)Int(image, section + 0x28) * size)) + 0x18);
            marked += WeakenLibraries(image, Long(image, section + 0x18), (int)Int(image, section + 0x2C), names, version);
        }

        return marked;
    }

    /// <summary>One entry a needed library (Verneed), each with a list of versions (Vernaux).</summary>
    private static int WeakenLibraries(Span<byte> image, int library, int libraries, int names, ReadOnlySpan<byte> version)
    {
        var marked = 0;
        for (var i = 0; i < libraries; i++)
        {
            var requirement = checked(library + (int)Int(image, library + 8));
            for (var j = 0; j < Short(image, library + 2); j++)
            {
                var name = image[checked(names + (int)Int(image, requirement + 8))..];
                if (name[..name.IndexOf((byte)0)].SequenceEqual(version))
                {
                    image[requirement + 4] |= WeakFlag;
                    marked++;
                }

                requirement = checked(requirement + (int)Int(image, requirement + 12));
            }

            library = checked(library + (int)Int(image, library + 12));
        }

        return marked;
    }

    private static int Short(ReadOnlySpan<byte> image, int offset) => BinaryPrimitives.ReadUInt16LittleEndian(image[offset..]);

    private static uint Int(ReadOnlySpan<byte> image, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(image[offset..]);

    private static int Long(ReadOnlySpan<byte> image, int offset) => checked((int)BinaryPrimitives.ReadUInt64LittleEndian(image[offset..]));
}
