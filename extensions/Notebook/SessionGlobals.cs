namespace Toolkit.Notebook;

/// <summary>The names that every cell sees beside its own.</summary>
public sealed class SessionGlobals
{
    private readonly Func<CancellationToken> _token;

    internal SessionGlobals(Func<CancellationToken> token, CommHub comms)
    {
        _token = token;
        Comms = comms;
    }

    /// <summary>The words that followed the file's name on the command line.</summary>
    public IList<string> Args { get; internal set; } = [];

    /// <summary>Channels to code in the front end.</summary>
    public CommHub Comms { get; }

    /// <summary>Cancelled when the user presses Ctrl-C or the cell's time is up: hand it to whatever runs long, so that it ends cleanly.</summary>
    public CancellationToken Interrupted => _token();
}
