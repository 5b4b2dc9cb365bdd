using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;
using System.Runtime.CompilerServices;

namespace Toolkit.Graphs.Il;

/// <summary>
/// From an instruction to the line of source that it was compiled from, by portable debugging information: beside the assembly, embedded in it, or, for an assembly that
/// was compiled in memory, asked of <see cref="Provider"/>.
/// </summary>
public static class SourceMap
{
    private static readonly ConditionalWeakTable<Module, Entry> _readers = [];

    /// <summary>
    /// Asked for the portable debugging information of an assembly that has no file, the first time that a line in it is wanted; null where it has none. A host that compiles cells sets it.
    /// </summary>
    public static Func<Assembly, byte[]?>? Provider { get; set; }

    /// <summary>File and line of an instruction; null where nothing tells.</summary>
    internal static (string File, int Line)? Find(MethodBase method, int offset)
    {
        if (_readers.GetValue(method.Module, Open).Reader is not { } reader || (method.MetadataToken >> 24) != 0x06)
        {
            return null;
        }

        var handle = MetadataTokens.MethodDefinitionHandle(method.MetadataToken & 0xFFFFFF).ToDebugInformationHandle();
        if (MetadataTokens.GetRowNumber(handle) > reader.MethodDebugInformation.Count)
        {
            return null;
        }

        SequencePoint? best = null;
        foreach (var point in reader.GetMethodDebugInformation(handle).GetSequencePoints())
        {
            if (!point.IsHidden && (point.Offset <= offset || best is null))
            {
                best = point;
            }
        }

        return best is { } found ? (reader.GetString(reader.GetDocument(found.Document).Name), found.StartLine) : null;
    }

    private static Entry Open(Module module)
    {
        try
        {
            var path = module.Assembly.Location;
            if (path == "" || !File.Exists(path))
            {
                return new(Provider?.Invoke(module.Assembly) is { } made ? MetadataReaderProvider.FromPortablePdbStream(new MemoryStream(made)) : null);
            }

            var beside = Path.ChangeExtension(path, ".pdb");
            return new(File.Exists(beside) ? MetadataReaderProvider.FromPortablePdbStream(new MemoryStream(File.ReadAllBytes(beside))) : Embedded(path));
        }
        catch (Exception e) when (e is BadImageFormatException or IOException or InvalidOperationException or UnauthorizedAccessException or NotSupportedException)
        {
            return new(null); // without lines a report still names the method
        }
    }

    private static MetadataReaderProvider? Embedded(string path)
    {
        using var file = new PEReader(File.OpenRead(path));
        foreach (var entry in file.ReadDebugDirectory().Where(entry => entry.Type == DebugDirectoryEntryType.EmbeddedPortablePdb))
        {
            return file.ReadEmbeddedPortablePdbDebugDirectoryData(entry);
        }

        return null;
    }

    /// <summary>The provider owns the memory that the reader reads.</summary>
    private sealed class Entry(MetadataReaderProvider? provider)
    {
        public MetadataReader? Reader { get; } = provider?.GetMetadataReader();
    }
}
