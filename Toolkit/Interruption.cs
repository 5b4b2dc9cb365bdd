namespace Toolkit;

/// <summary>
/// Lets the program that hosts the library (a notebook, a prompt) end whatever verb is running: training at a step boundary with the state saved, generation at a token, tokenizer
/// training, evaluation and benchmarks at the next piece of work. Verbs that take a token of their own heed it too.
/// </summary>
/// <remarks>It is one for the process, as the key that a user presses is.</remarks>
public static class Interruption
{
    private static readonly CancellationTokenSource _never = new();
    private static volatile CancellationTokenSource _current = _never;

    /// <summary>Whether whatever runs now should end.</summary>
    public static bool IsRequested => _current.IsCancellationRequested;

    /// <summary>Cancelled when whatever runs now should end.</summary>
    public static CancellationToken Token => _current.Token;

    /// <summary>From here on this source says when to end; null: nothing does.</summary>
    public static void Follow(CancellationTokenSource? source) => _current = source ?? _never;

    /// <summary>Ends what runs, if that is asked for.</summary>
    /// <exception cref="OperationCanceledException">It is.</exception>
    public static void ThrowIfRequested() => _current.Token.ThrowIfCancellationRequested();
}
