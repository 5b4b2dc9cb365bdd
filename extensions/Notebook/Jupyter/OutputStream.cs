using System.Text;

namespace Toolkit.Notebook.Jupyter;

/// <summary>Gathers text that is written character by character into few messages; order is kept with everything else by flushing before it.</summary>
internal sealed class OutputStream : IDisposable
{
    private static readonly TimeSpan Delay = TimeSpan.FromMilliseconds(20);
    private readonly Lock _gate = new();
    private readonly StringBuilder _text = new();
    private readonly Action<string, string> _send;
    private readonly ITimer _timer;
    private string _stream = "stdout";

    public OutputStream(Action<string, string> send, TimeProvider time)
    {
        _send = send;
        _timer = time.CreateTimer(_ => Flush(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Write(string stream, string text)
    {
        lock (_gate)
        {
            if (stream != _stream)
            {
                Flush();
                _stream = stream;
            }

            if (_text.Length == 0)
            {
                _timer.Change(Delay, Timeout.InfiniteTimeSpan);
            }

            _text.Append(text);
        }
    }

    public void Flush()
    {
        lock (_gate)
        {
            if (_text.Length > 0)
            {
                _send(_stream, _text.ToString());
                _text.Clear();
            }
        }
    }

    public void Dispose()
    {
        _timer.Dispose();
        Flush();
    }
}
