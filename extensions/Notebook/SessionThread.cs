using System.Collections.Concurrent;

namespace Toolkit.Notebook;

/// <summary>
/// The one thread on which cells start. libtorch keeps state a thread (gradient mode, its OpenMP team), so cells that hopped over
/// pool threads would lose it and start a team each. What follows an <c>await</c> in a cell may continue elsewhere.
/// </summary>
internal sealed class SessionThread : IDisposable
{
    private const int StackBytes = 64 << 20;
    private readonly BlockingCollection<Action> _work = [];

    public SessionThread()
    {
        var thread = new Thread(Run, StackBytes) { IsBackground = true, Name = "notebook" };
        thread.Start();
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

    private void Run()
    {
        foreach (var work in _work.GetConsumingEnumerable())
        {
            work();
        }
    }
}
