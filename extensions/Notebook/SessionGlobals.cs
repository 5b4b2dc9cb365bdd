namespace Toolkit.Notebook;

/// <summary>The names that every cell sees beside its own.</summary>
public sealed class SessionGlobals
{
    private readonly Func<CancellationToken> _token;

    internal SessionGlobals(Func<CancellationToken> token) => _token = token;

    /// <summary>Cancelled when the user presses Ctrl-C or the cell's time is up: hand it to whatever runs long, so that it ends cleanly.</summary>
    public CancellationToken Interrupted => _token();
}
