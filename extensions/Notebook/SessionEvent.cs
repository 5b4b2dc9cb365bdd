using Toolkit.Display;

namespace Toolkit.Notebook;

/// <summary>The command of a session: run this code as a numbered cell.</summary>
/// <param name="Code">C# code.</param>
/// <param name="Cell">The number that error messages name, from 1.</param>
public sealed record RunCell(string Code, int Cell)
{
    /// <summary>The script file that the code is; null for a cell. Errors name it, and relative paths of <c>#r</c> and <c>#load</c> begin at its folder.</summary>
    public string? File { get; init; }
}

/// <summary>What a session tells its host while a cell runs, in order.</summary>
public abstract record SessionEvent;

/// <summary>Text was written to a stream.</summary>
/// <param name="Stream"><c>stdout</c> or <c>stderr</c>.</param>
/// <param name="Text">The text, with its line ends.</param>
public sealed record TextWritten(string Stream, string Text) : SessionEvent;

/// <summary>Something was shown, or replaces what was shown under the same id.</summary>
/// <param name="Bundle">The representations.</param>
/// <param name="DisplayId">The id.</param>
/// <param name="Update">Whether it replaces.</param>
public sealed record ValueDisplayed(MimeBundle Bundle, string DisplayId, bool Update) : SessionEvent;

/// <summary>The cell's last expression has a value.</summary>
/// <param name="Bundle">Its representations.</param>
public sealed record ResultProduced(MimeBundle Bundle) : SessionEvent;

/// <summary>The cell failed; it is the last event of the cell.</summary>
/// <param name="Error">What happened and where.</param>
public sealed record CellFailed(CellError Error) : SessionEvent;

/// <summary>A message of a comm, a channel between a cell and code in the front end, leaves.</summary>
/// <param name="Kind"><c>open</c>, <c>msg</c> or <c>close</c>.</param>
/// <param name="Id">The comm.</param>
/// <param name="Target">What it is for, where it is opened.</param>
/// <param name="Data">The message.</param>
public sealed record CommSent(string Kind, string Id, string? Target, System.Text.Json.Nodes.JsonObject Data) : SessionEvent;

/// <summary>Outputs so far are to be taken away.</summary>
/// <param name="Wait">Whether only when the next one comes.</param>
public sealed record OutputsCleared(bool Wait) : SessionEvent;
