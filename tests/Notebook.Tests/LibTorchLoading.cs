using System.Runtime.CompilerServices;
using Toolkit.Native;

namespace Notebook.Tests;

/// <summary>Tests that use TorchSharp before any type of Toolkit need libtorch loaded as Toolkit does it.</summary>
internal static class LibTorchLoading
{
    [ModuleInitializer]
    internal static void Load() => LibTorch.Load();
}
