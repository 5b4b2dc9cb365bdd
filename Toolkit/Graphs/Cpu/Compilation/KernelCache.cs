using System.Collections.Concurrent;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;

namespace Toolkit.Graphs.Cpu;

/// <summary>Compiled kernels by what they were compiled from: in memory while somebody uses them, and on disk.</summary>
internal static class KernelCache
{
    private static readonly ConcurrentDictionary<string, WeakReference<KernelAssembly>> _memory = new(StringComparer.Ordinal);
    private static readonly ConcurrentDictionary<string, Lock> _locks = new(StringComparer.Ordinal);

    /// <summary>The folder used unless options name another: <c>toolkit/kernels</c> in the user's local data; null where the system has no such place.</summary>
    public static string? DefaultFolder { get; } =
        Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData) is { Length: > 0 } folder ? Path.Combine(folder, "toolkit", "kernels") : null;

    /// <summary>The kernels of a source, from memory, from disk or newly compiled.</summary>
    /// <param name="source">File with kernels; the prelude is added.</param>
    /// <param name="width">Lanes of a vector.</param>
    /// <param name="folder">Folder on disk; null for none.</param>
    /// <param name="origin">Where they came from.</param>
    public static KernelAssembly Get(string source, int width, string? folder, out KernelOrigin origin)
    {
        var key = Key(source, width);
        lock (_locks.GetOrAdd(key, _ => new()))
        {
            if (_memory.TryGetValue(key, out var reference) && reference.TryGetTarget(out var known))
            {
                origin = KernelOrigin.Memory;
                return known;
            }

            var kernels = folder is null ? null : FromDisk(folder, key, source);
            origin = kernels is null ? KernelOrigin.Compiler : KernelOrigin.Disk;
            if (kernels is null)
            {
                var image = KernelCompiler.CompileKernels(KernelPrelude.Source(width), source);
                kernels = new KernelAssembly(image, key, source);
                if (folder is not null)
                {
                    ToDisk(folder, key, image, source);
                }
            }

            _memory[key] = new(kernels);
            return kernels;
        }
    }

    /// <summary>Adds kernels that were compiled elsewhere, unless they are there; they stay while somebody holds what is returned.</summary>
    /// <param name="key">The <see cref="Key"/> of their source.</param>
    /// <param name="source">What they were compiled from.</param>
    /// <param name="image">What came out.</param>
    /// <exception cref="BadImageFormatException">It holds no kernels.</exception>
    public static KernelAssembly Add(string key, string source, byte[] image)
    {
        lock (_locks.GetOrAdd(key, _ => new()))
        {
            if (!_memory.TryGetValue(key, out var reference) || !reference.TryGetTarget(out var kernels))
            {
                kernels = new(image, key, source);
                _memory[key] = new(kernels);
            }

            return kernels;
        }
    }

    /// <summary>Whether kernels of something, such as a kind of module, were kept here before: then the compiler will hardly be needed.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="folder">Folder on disk; null for none.</param>
    public static bool IsKnown(string name, string? folder) => folder is not null && File.Exists(Note(name, folder));

    /// <summary>Remembers that kernels of something are kept.</summary>
    /// <inheritdoc cref="IsKnown"/>
    public static void Remember(string name, string? folder)
    {
        try
        {
            if (Directory.Exists(folder) && !IsKnown(name, folder))
            {
                File.WriteAllText(Note(name, folder), name);
            }
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            // Then the compiler is started once more than needed.
        }
    }

    private static string Note(string name, string folder) => Path.Combine(folder, Key(name, KernelPrelude.Width) + ".known");

    /// <summary>A hash of everything that the machine code depends on: the kernels, the prelude, the vectors, the runtime and this library.</summary>
    public static string Key(string source, int width)
    {
        var version = typeof(KernelCache).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion;
        var text = $"{version}\n{Environment.Version}\n{System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture}\n{KernelPrelude.Source(width)}\n{source}";
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..40];
    }

    /// <summary>What is on disk under a key, if it is whole. The hash beside it guards against files that are cut off or were changed by accident.</summary>
    private static KernelAssembly? FromDisk(string folder, string key, string source)
    {
        try
        {
            var image = File.ReadAllBytes(Path.Combine(folder, key + ".dll"));
            var hash = File.ReadAllText(Path.Combine(folder, key + ".sha256")).Trim();
            return hash == Convert.ToHexStringLower(SHA256.HashData(image)) ? new KernelAssembly(image, key, source) : null;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or BadImageFormatException)
        {
            return null;
        }
    }

    private static void ToDisk(string folder, string key, byte[] image, string source)
    {
        try
        {
            Directory.CreateDirectory(folder);
            Write(Path.Combine(folder, key + ".cs"), Encoding.UTF8.GetBytes(source));
            Write(Path.Combine(folder, key + ".dll"), image);
            Write(Path.Combine(folder, key + ".sha256"), Encoding.ASCII.GetBytes(Convert.ToHexStringLower(SHA256.HashData(image))));
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            // A cache that cannot be written is no cache; the kernels are there.
        }
    }

    /// <summary>Under another name first: another process never reads half a file.</summary>
    private static void Write(string path, byte[] bytes)
    {
        var temporary = $"{path}.{Guid.NewGuid():N}";
        try
        {
            File.WriteAllBytes(temporary, bytes);
            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary); // on a full disk half of it may be there
            throw;
        }
    }
}
