namespace Toolkit.Notebook;

/// <summary>Watches a run: the terminal does, tests may. Every method does nothing unless overridden.</summary>
public class RunObserver
{
    /// <summary>A cell begins.</summary>
    public virtual void CellStarted(NotebookCell cell, int number, int count)
    {
    }

    /// <summary>The cell said something.</summary>
    public virtual void Happened(SessionEvent happened)
    {
    }

    /// <summary>A cell ended.</summary>
    public virtual void CellEnded(NotebookCell cell, int number, TimeSpan elapsed, CellError? error)
    {
    }

    /// <summary>A cell is not run; <paramref name="reason"/> says why.</summary>
    public virtual void CellSkipped(NotebookCell cell, int number, string reason)
    {
    }
}
