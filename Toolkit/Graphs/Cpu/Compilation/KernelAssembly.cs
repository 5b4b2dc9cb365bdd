using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.Loader;

namespace Toolkit.Graphs.Cpu;

/// <summary>Compiled kernels in memory. They go when nothing refers to this object any more: whoever calls a kernel keeps it.</summary>
internal sealed class KernelAssembly
{
    private readonly AssemblyLoadContext _context;
    private readonly Type _kernels;

    /// <summary>Loads an assembly.</summary>
    /// <param name="image">Its bytes.</param>
    /// <param name="key">A hash of all that it depends on.</param>
    /// <param name="source">The C# that it was compiled from.</param>
    /// <exception cref="BadImageFormatException">It is none, or holds no kernels.</exception>
    public KernelAssembly(byte[] image, string key, string source)
    {
        (Image, Key, Source) = (image, key, source);
        _context = new AssemblyLoadContext("Toolkit.Kernels", isCollectible: true);
        _kernels = _context.LoadFromStream(new MemoryStream(image, writable: false)).GetType("Toolkit.Kernels.Kernels") ?? throw new BadImageFormatException("no kernels in it");
    }

    /// <summary>Its bytes.</summary>
    public byte[] Image { get; }

    /// <summary>A hash of all that it depends on.</summary>
    public string Key { get; }

    /// <summary>The C# that it was compiled from, without the prelude.</summary>
    public string Source { get; }

    /// <summary>Unloads the code.</summary>
    ~KernelAssembly() => _context.Unload();

    /// <summary>Address of a kernel: <c>delegate* managed&lt;long, long, byte**, byte*, void&gt;</c>, compiled to machine code.</summary>
    /// <exception cref="BadImageFormatException">There is none of that name.</exception>
    public nint Pointer(string name)
    {
        var method = _kernels.GetMethod(name, BindingFlags.Static | BindingFlags.Public) ?? throw new BadImageFormatException($"no kernel \"{name}\" in it");
        RuntimeHelpers.PrepareMethod(method.MethodHandle);
        return method.MethodHandle.GetFunctionPointer();
    }

    /// <summary>Watches whether the code is still loaded.</summary>
    public WeakReference Watch() => new(_context, trackResurrection: true);
}
