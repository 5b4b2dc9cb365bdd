using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace Toolkit.Notebook.References;

/// <summary>The ids that the compiler gives every build of an assembly.</summary>
internal static class Modules
{
    /// <summary>The id of a file.</summary>
    public static Guid IdOf(string path)
    {
        using var file = File.OpenRead(path);
        using var image = new PEReader(file);
        var reader = image.GetMetadataReader();
        return reader.GetGuid(reader.GetModuleDefinition().Mvid);
    }

    /// <summary>The id of a loaded assembly; empty where there is none of that name.</summary>
    public static Guid IdOfLoaded(string name) =>
        AppDomain.CurrentDomain.GetAssemblies().LastOrDefault(assembly => !assembly.IsDynamic && assembly.GetName().Name == name)?.ManifestModule.ModuleVersionId ?? Guid.Empty;
}
