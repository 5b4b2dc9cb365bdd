using System.Collections.Concurrent;

namespace Toolkit.Notebook;

/// <summary>
/// The one thread on which cells start. libtorch keeps state a thread (gradient mode, its OpenMP team), so cells that hopped over
/// pool threads would lose it and start a team each. What follows an <c>await</c> in a cell may continue elsewhere.
/// </summary>
internal sealed class SessionThread : IDisposable
{
    /// <summary>The name of the thread.</summary>
    public const string Name = "notebook";

    private const int StackBytes = 64 << 20;
    private readonly BlockingCollection<Action> _work = [];
    private readonly Thread _thread;

    public SessionThread()
    {
        _thread = new Thread(Run, StackBytes) { IsBackground = true, Name = Name };
        _thread.Start();
    }

    /// <summary>Wakes the thread where it sleeps or waits: it goes on with an exception.</summary>
    public void Wake()
    {
        if ((_thread.ThreadState & ThreadState.WaitSleepJoin) != 0)
        {
            _thread.Interrupt();
        }
    }

    public Task<T> Start<T>(Func<Task<T>> work)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        _work.Add(() => work().ContinueWith(task => Finish(task, done), TaskScheduler.Default));
        return done.Task;
    }

    public void Dispose() => _work.CompleteAdding();

    private static void Finish<T>(Task<T> task, TaskCompletionSource<T> done)
    {
        if (task.IsCompletedSuccessfully)
        {
            done.TrySetResult(task.Result);
        }
        else
        {
            done.TrySetException(task.Exception is { } error ? error.InnerExceptions : [new TaskCanceledException(task)]);
        }
    }

    /// <summary>What was meant to wake the last cell, and came too late, would end the next one at its first wait.</summary>
    private static void Settle()
    {
        try
        {
            Thread.Sleep(1);
        }
        catch (ThreadInterruptedException)
        {
        }
    }

    private void Run()
    {
        while (!_work.IsCompleted)
        {
            try
            {
                if (_work.TryTake(out var work, Timeout.Infinite))
                {
                    Settle();
                    work();
                }
            }
            catch (ThreadInterruptedException)
            {
                // Woken while no cell ran here: what follows an await runs elsewhere.
            }
        }
    }
}
