using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime;
using System.Runtime.CompilerServices;

namespace Toolkit.Graphs.Cpu;

/// <summary>
/// What .NET compiles of capture and compilation (three thousand methods, a quarter of a second), remembered from one start of a program to the next: while libtorch is loaded and the model
/// is made, another thread compiles these methods ahead (<see cref="ProfileOptimization"/>). Remembered from starts that found their kernels on disk: Roslyn's own methods are not among them.
/// .NET keeps one such profile a process: a program with one of its own sets <see cref="Switch"/> to false.
/// </summary>
internal static class StartProfile
{
    /// <summary>The runtime's configuration switch, on by default. What is played begins before <c>Main</c>, so that a program turns it off in its project file.</summary>
    public const string Switch = "Toolkit.StartProfile";

    private static readonly Lock _lock = new();
    private static readonly string? _path = KernelCache.DefaultFolder is { } folder ? Path.Combine(folder, $"{Assembly.GetEntryAssembly()?.GetName().Name ?? "host"}-{Environment.Version}.start") : null;
    private static string? _own; // written by this process, until it is whole
    private static bool _hasEnded;

    /// <summary>Where the profile of this program is kept; null where nothing is kept.</summary>
    public static string? File => _path;

    private static bool IsOn => !AppContext.TryGetSwitch(Switch, out var isOn) || isOn;

    /// <summary>Compiles ahead what was compiled the last time; programs that never compiled a module have no profile.</summary>
    [ModuleInitializer]
    [SuppressMessage("Usage", "CA2255", Justification = "What is to be ready when the first module is compiled has to begin before.")]
    internal static void Play()
    {
        if (IsOn && System.IO.File.Exists(_path))
        {
            Record();
        }
    }

    /// <summary>Takes note of what is compiled from now on, once in a process.</summary>
    public static void Record()
    {
        lock (_lock)
        {
            if (!IsOn || _path is null || _own is not null || _hasEnded)
            {
                return;
            }

            try
            {
                // Under a name of its own: another process never reads half a file.
                Directory.CreateDirectory(Path.GetDirectoryName(_path)!);
                _own = $"{_path}.{Guid.NewGuid():N}";
                if (System.IO.File.Exists(_path))
                {
                    System.IO.File.Copy(_path, _own);
                }

                ProfileOptimization.SetProfileRoot(Path.GetDirectoryName(_path)!);
                ProfileOptimization.StartProfile(Path.GetFileName(_own));
                AppDomain.CurrentDomain.ProcessExit += (_, _) => End(isKept: false);
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
            {
                _hasEnded = true; // without it the start takes longer
            }
        }
    }

    /// <summary>Ends it.</summary>
    /// <param name="isKept">Whether it is what the next start wants to be ready.</param>
    public static void End(bool isKept)
    {
        lock (_lock)
        {
            var isRecording = _own is not null && !_hasEnded;
            _hasEnded = true;
            if (!isRecording)
            {
                return;
            }

            ProfileOptimization.StartProfile(null);
            try
            {
                if (isKept)
                {
                    System.IO.File.Move(_own!, _path!, overwrite: true);
                }
                else
                {
                    System.IO.File.Delete(_own!);
                }
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
            {
                // The next start has what this one had.
            }
        }
    }
}
