namespace Toolkit.Notebook;

/// <summary>What kind of end a failed cell came to.</summary>
public enum CellErrorKind
{
    /// <summary>The code does not compile.</summary>
    Compilation,

    /// <summary>The code threw.</summary>
    Exception,

    /// <summary>The cell took longer than it was given.</summary>
    Timeout,

    /// <summary>The user interrupted the cell.</summary>
    Interrupted,
}

/// <summary>Why a cell failed, in the words of the notebook: cell and line, never a generated method.</summary>
/// <param name="Kind">The kind of failure.</param>
/// <param name="Name">The exception's type, or the compiler's error code.</param>
/// <param name="Message">What it says.</param>
/// <param name="Cell">The cell that failed.</param>
/// <param name="Line">The line in that cell, from 1; 0 where unknown.</param>
/// <param name="Traceback">The lines to show: headline, source line, frames of the user's code.</param>
public sealed record CellError(CellErrorKind Kind, string Name, string Message, int Cell, int Line, IReadOnlyList<string> Traceback)
{
    /// <summary>The whole report as text.</summary>
    public string Report => string.Join('\n', Traceback);
}
