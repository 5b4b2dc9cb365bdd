namespace Toolkit.Tests;

/// <summary>A thread that allocates and collects until it is disposed: a tensor that is used after its finalizer ran shows itself beside it.</summary>
internal sealed class BusyCollector : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Thread _thread;

    public BusyCollector()
    {
        _thread = new Thread(() =>
        {
            while (!_stop.IsCancellationRequested)
            {
                GC.KeepAlive(new byte[100_000]);
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }
        });
        _thread.Start();
    }

    public void Dispose()
    {
        _stop.Cancel();
        _thread.Join();
        _stop.Dispose();
    }
}

/// <summary>Tensors that are alive in this process.</summary>
internal static class LiveTensors
{
    /// <summary>Their number, after what nothing refers to has been finalized.</summary>
    public static long Count()
    {
        for (var i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        return TorchSharp.torch.Tensor.TotalCount;
    }
}
