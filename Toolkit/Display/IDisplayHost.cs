namespace Toolkit.Display;

/// <summary>Where displayed things go: a notebook, a terminal, a test. One method carries everything.</summary>
public interface IDisplayHost
{
    /// <summary>Shows a bundle, or replaces the one that was shown under the same id.</summary>
    /// <param name="bundle">What to show; the host picks the representation that it can draw.</param>
    /// <param name="displayId">Identifies the output, so that it can be replaced later.</param>
    /// <param name="update">True to replace the earlier output of this id.</param>
    void Display(MimeBundle bundle, string displayId, bool update);

    /// <summary>Appends text to the running text stream, without a line end: generated tokens as they come.</summary>
    void Write(string text);

    /// <summary>Takes away what the running cell has shown so far; a host that cannot does nothing.</summary>
    /// <param name="wait">Whether only when the next output comes, so that nothing flickers.</param>
    void Clear(bool wait)
    {
    }
}
