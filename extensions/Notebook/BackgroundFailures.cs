using System.Runtime.ExceptionServices;

namespace Toolkit.Notebook;

/// <summary>An exception that nobody catches on a thread of the user's making would end the process, and every variable with it: while a session lives, it is reported instead.</summary>
internal static class BackgroundFailures
{
    private static volatile Action<Exception>? _report;
    private static int _isSet;

    /// <summary>From here on, failures go there; null leaves them to the runtime.</summary>
    public static void Report(Action<Exception>? report)
    {
        _report = report;
        if (report is not null && Interlocked.Exchange(ref _isSet, 1) == 0)
        {
            ExceptionHandling.SetUnhandledExceptionHandler(failure =>
            {
                if (_report is not { } tell)
                {
                    return false;
                }

                tell(failure);
                return true;
            });
        }
    }
}
