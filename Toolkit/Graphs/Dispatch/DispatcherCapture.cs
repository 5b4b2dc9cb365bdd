using System.Runtime.InteropServices;
using Toolkit.Native;

namespace Toolkit.Graphs.Dispatch;

/// <summary>
/// Whether ATen operations can be recorded under a program, backward pass and native modules included. That takes functions and layouts of libtorch that are private to a version: it is tried
/// out, once, on the libtorch that is loaded, and off where anything is missing or different. Everything else works without it.
/// </summary>
public static class DispatcherCapture
{
    private const string Layouts = "2.10.";
    private static readonly Lazy<(Dispatcher? Dispatcher, string? WhyNot)> _opened = new(() => Open(DispatcherSymbols.OfLibTorch, LibTorch.Version, IsSupported));

    [ThreadStatic]
    private static string? _off;

    /// <summary>Whether it can.</summary>
    public static bool IsAvailable => Instance is not null;

    /// <summary>Why it cannot, in one line; null where it can.</summary>
    public static string? WhyNot => _off ?? _opened.Value.WhyNot;

    /// <summary>The dispatcher; null where it cannot be reached.</summary>
    internal static Dispatcher? Instance => _off is null ? _opened.Value.Dispatcher : null;

    /// <summary>The dispatcher.</summary>
    /// <exception cref="GraphException">It cannot be reached.</exception>
    internal static Dispatcher Required => Instance ?? throw new GraphException($"ATen operations cannot be recorded: {WhyNot}");

    /// <summary>Lets this thread do without, as on a libtorch that cannot be reached, until the result is disposed of.</summary>
    internal static IDisposable TurnOff(string reason)
    {
        _off = reason;
        return new Off();
    }

    private static bool IsSupported => OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64;

    /// <summary>Looks whether the dispatcher can be reached, and tries it out.</summary>
    /// <param name="find">Address of a symbol, 0 where there is none.</param>
    /// <param name="version">Version of libtorch.</param>
    /// <param name="isSupported">Whether the layouts are those of this system.</param>
    internal static (Dispatcher? Dispatcher, string? WhyNot) Open(Func<string, nint> find, string? version, bool isSupported)
    {
        if (!isSupported)
        {
            return (null, $"it is known for Linux on x64 only, and this is {RuntimeInformation.RuntimeIdentifier}");
        }

        if (version?.StartsWith(Layouts, StringComparison.Ordinal) != true)
        {
            return (null, $"it is known for libtorch {Layouts}x, and libtorch {version ?? "of unknown version"} is loaded");
        }

        if (DispatcherSymbols.Resolve(find, out var missing) is not { } symbols)
        {
            return (null, $"libtorch has no symbol {missing}");
        }

        try
        {
            var dispatcher = Dispatcher.Register(symbols);
            using var generator = TorchSharp.torch.get_rng_state();
            var difference = DispatcherSelfTest.Run(dispatcher);
            TorchSharp.torch.set_rng_state(generator);
            return difference is null ? (dispatcher, null) : (null, $"the self-test failed: {difference}");
        }
        catch (Exception problem) when (problem is not OutOfMemoryException)
        {
            return (null, problem.Message.Split('\n')[0]);
        }
    }

    private sealed class Off : IDisposable
    {
        public void Dispose() => _off = null;
    }
}
