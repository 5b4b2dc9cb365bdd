using Spectre.Console;

namespace Toolkit.Display;

/// <summary>The verbs that show things. What differs between a notebook, a script and a console is only the <see cref="Host"/>.</summary>
public static class Output
{
    private static long _displays;

    /// <summary>Where shown things go. A program that sets nothing gets the terminal.</summary>
    public static IDisplayHost Host { get; set; } = new TerminalHost();

    /// <summary>A host that writes text: on a terminal live outputs are redrawn in place.</summary>
    /// <param name="writer">Where to, such as the console's error stream.</param>
    public static IDisplayHost Terminal(TextWriter writer) => new TerminalHost(AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(writer) }));

    /// <summary>Shows a value and returns a handle that can replace it.</summary>
    public static DisplayHandle Show(this object? value) => ShowOn(value, Host);

    /// <summary>Shows a value on a host of its own.</summary>
    internal static DisplayHandle ShowOn(this object? value, IDisplayHost host)
    {
        var handle = new DisplayHandle(host, $"toolkit-{Interlocked.Increment(ref _displays)}");
        host.Display(Formatter.Format(value), handle.Id, update: false);
        return handle;
    }

    /// <summary>Appends text to the running stream of the host.</summary>
    public static void Write(string text) => Host.Write(text);

    /// <summary>Takes away what the running cell has shown so far.</summary>
    /// <param name="wait">Whether only when the next output comes, so that nothing flickers.</param>
    public static void Clear(bool wait = false) => Host.Clear(wait);

    /// <summary>Shows a value; the same as <see cref="Show"/>, under the name that .NET Interactive gave it.</summary>
    public static DisplayHandle Display(this object? value) => value.Show();

    /// <summary>A live progress bar for a task that reports how far it is; dispose it at the end.</summary>
    /// <param name="title">What is being done.</param>
    /// <param name="total">Units of the whole task; 0 where that is not known.</param>
    /// <param name="unit">What is counted, in the plural.</param>
    /// <param name="time">The clock; the system's where none is given.</param>
    public static ProgressTracker Track(string title, long total = 0, string unit = "items", TimeProvider? time = null) => new(title, total, unit, time);

    /// <summary>Passes the items on under a live progress bar.</summary>
    /// <param name="items">What is worked through.</param>
    /// <param name="title">What is being done.</param>
    /// <param name="unit">What the items are, in the plural.</param>
    /// <param name="time">The clock; the system's where none is given.</param>
    public static IEnumerable<T> Track<T>(this IEnumerable<T> items, string title, string unit = "items", TimeProvider? time = null)
    {
        using var progress = Track(title, items.TryGetNonEnumeratedCount(out var total) ? total : 0, unit, time);
        var done = 0L;
        foreach (var item in items)
        {
            yield return item;
            progress.Report(++done);
        }
    }
}

/// <summary>A shown output that can be replaced in place: a live chart, a progress bar.</summary>
public sealed class DisplayHandle(IDisplayHost host, string id)
{
    /// <summary>The display id, unique in this process.</summary>
    public string Id => id;

    /// <summary>Replaces the output with another value.</summary>
    public void Update(object? value) => host.Display(Formatter.Format(value), id, update: true);
}
