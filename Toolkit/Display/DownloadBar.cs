using Toolkit.Checkpoints;

namespace Toolkit.Display;

/// <summary>Shows how far a download is; nothing where nothing is downloaded. Dispose it to show the last state.</summary>
/// <param name="host">Where it is shown; null: on <see cref="Output.Host"/>.</param>
/// <param name="time">The clock; the system's where none is given.</param>
/// <param name="interval">Least time between two updates; a quarter of a second where none is given.</param>
public sealed class DownloadBar(IDisplayHost? host = null, TimeProvider? time = null, TimeSpan? interval = null) : IProgress<DownloadProgress>, IDisposable
{
    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly TimeSpan _interval = interval ?? TimeSpan.FromMilliseconds(250);
    private readonly Lock _gate = new();
    private DisplayHandle? _handle;
    private DownloadProgress? _first;
    private DownloadProgress? _last;
    private long _begin;
    private long _drawn;
    private bool _disposed;

    /// <inheritdoc/>
    public void Report(DownloadProgress value)
    {
        ArgumentNullException.ThrowIfNull(value);
        lock (_gate)
        {
            if (_first is null)
            {
                (_first, _begin) = (value, _time.GetTimestamp());
            }

            // What an earlier attempt left was not fetched now: the rate begins behind it.
            if (_last is { FileNumber: var number } && number == value.FileNumber && _first == _last && value.Bytes > _first.Bytes)
            {
                _first = value;
            }

            _last = value;
            if (_handle is null || _time.GetElapsedTime(_drawn) >= _interval)
            {
                Draw(final: false);
            }
        }
    }

    /// <summary>Shows the last state.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (!_disposed && _last is not null)
            {
                Draw(final: true);
            }

            _disposed = true;
        }
    }

    private void Draw(bool final)
    {
        var (last, elapsed) = (_last!, _time.GetElapsedTime(_begin));
        var bar = new ProgressBar($"Downloading {last.Model}", last.Bytes, last.TotalBytes ?? 0, elapsed, "bytes")
        {
            Facts = $"{last.File} ({last.FileNumber} of {last.Files})",
            Final = final,
            MeasuredRate = elapsed > TimeSpan.Zero ? (last.Bytes - _first!.Bytes) / elapsed.TotalSeconds : 0,
        };
        _drawn = _time.GetTimestamp();
        if (_handle is null)
        {
            _handle = bar.ShowOn(host ?? Output.Host);
        }
        else
        {
            _handle.Update(bar);
        }
    }
}
