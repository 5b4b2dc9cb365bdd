namespace Toolkit.Display;

/// <summary>The verbs that show things. What differs between a notebook, a script and a console is only the <see cref="Host"/>.</summary>
public static class Output
{
    private static long _displays;

    /// <summary>Where shown things go. A program that sets nothing gets the terminal.</summary>
    public static IDisplayHost Host { get; set; } = new TerminalHost();

    /// <summary>Shows a value and returns a handle that can replace it.</summary>
    public static DisplayHandle Show(this object? value)
    {
        var handle = new DisplayHandle(Host, $"toolkit-{Interlocked.Increment(ref _displays)}");
        Host.Display(Formatter.Format(value), handle.Id, update: false);
        return handle;
    }

    /// <summary>Appends text to the running stream of the host.</summary>
    public static void Write(string text) => Host.Write(text);
}

/// <summary>A shown output that can be replaced in place: a live chart, a progress bar.</summary>
public sealed class DisplayHandle(IDisplayHost host, string id)
{
    /// <summary>The display id, unique in this process.</summary>
    public string Id => id;

    /// <summary>Replaces the output with another value.</summary>
    public void Update(object? value) => host.Display(Formatter.Format(value), id, update: true);
}
