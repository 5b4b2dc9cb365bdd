namespace Toolkit.Notebook;

/// <summary>What instrumented cells call: every round of a loop, every method and every await looks whether the user wants the cell to end.</summary>
public static class CellInterrupt
{
    /// <summary>Whether the running cell was interrupted.</summary>
    internal static bool IsRequested => Interruption.IsRequested;

    /// <summary>Throws where the running cell was interrupted.</summary>
    /// <exception cref="OperationCanceledException">It was.</exception>
    public static void Check()
    {
        if (Interruption.IsRequested)
        {
            throw new OperationCanceledException("The cell was interrupted.", Interruption.Token);
        }
    }

    /// <summary>At the start of a method: looks for an interruption, and for the end of the stack, which would otherwise end the process.</summary>
    /// <exception cref="OperationCanceledException">The cell was interrupted.</exception>
    /// <exception cref="InsufficientExecutionStackException">Methods call each other too deeply.</exception>
    public static void Enter()
    {
        Check();
        System.Runtime.CompilerServices.RuntimeHelpers.EnsureSufficientExecutionStack();
    }

    /// <summary><see cref="Thread.Sleep(int)"/> that an interruption ends.</summary>
    public static void Sleep(int milliseconds) => Sleep(TimeSpan.FromMilliseconds(milliseconds));

    /// <inheritdoc cref="Sleep(int)"/>
    public static void Sleep(TimeSpan time)
    {
        if (time <= TimeSpan.Zero)
        {
            Thread.Sleep(time);
            return;
        }

        Interruption.Token.WaitHandle.WaitOne(time);
        Check();
    }

    /// <summary>The task, or its interruption.</summary>
    public static Task Await(Task task) => task.WaitAsync(Interruption.Token);

    /// <inheritdoc cref="Await(Task)"/>
    public static Task<T> Await<T>(Task<T> task) => task.WaitAsync(Interruption.Token);

    /// <inheritdoc cref="Await(Task)"/>
    public static Task Await(ValueTask task) => Await(task.AsTask());

    /// <inheritdoc cref="Await(Task)"/>
    public static Task<T> Await<T>(ValueTask<T> task) => Await(task.AsTask());

    /// <summary>Anything else that can be awaited: it cannot be interrupted.</summary>
    public static T Await<T>(T awaitable) => awaitable;
}
