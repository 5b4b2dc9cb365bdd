using System.Globalization;

namespace Toolkit.Display;

/// <summary>How far a long task is: a snapshot that a <see cref="DisplayHandle"/> replaces by the next one.</summary>
/// <param name="Title">What is being done.</param>
/// <param name="Done">Units done.</param>
/// <param name="Total">Units of the whole task; 0 where that is not known.</param>
/// <param name="Elapsed">Time since the task began.</param>
/// <param name="Unit">What is counted, in the plural: steps, merges, documents; bytes are written as kB, MB, GB.</param>
public sealed record ProgressBar(string Title, long Done, long Total, TimeSpan Elapsed, string Unit = "items") : IDisplayable
{
    /// <summary>Further facts at the end of the line, such as the loss; empty for none.</summary>
    public string Facts { get; init; } = "";

    /// <summary>Whether no further snapshot follows: the task ended, failed or was cancelled.</summary>
    public bool Final { get; init; }

    /// <summary>Units a second, where it is not <see cref="Done"/> over <see cref="Elapsed"/> (a resumed task).</summary>
    public double? MeasuredRate { get; init; }

    /// <summary>Units a second, 0 before the first measurement.</summary>
    public double Rate => MeasuredRate ?? (Elapsed > TimeSpan.Zero ? Done / Elapsed.TotalSeconds : 0);

    /// <summary>Done over total, between 0 and 1; 0 where the total is not known.</summary>
    public double Fraction => Total > 0 ? Math.Clamp(Done / (double)Total, 0, 1) : 0;

    /// <summary>The time that the rest takes at this rate; null where that is not known.</summary>
    public TimeSpan? Remaining => Total > 0 && Rate > 0 && Math.Max(0, Total - Done) / Rate is < 3.2e9 and var seconds ? TimeSpan.FromSeconds(seconds) : null;

    /// <inheritdoc/>
    public MimeBundle ToMimeBundle() => MimeBundle.Of(Fragment.Box(Html), Plain) with { Completion = Final ? null : Fraction };

    internal string Html
    {
        get
        {
            var width = Units.Fixed(100 * Fraction, 1);
            return $"<div class=\"tk-title\">{Fragment.Encode(Title)}</div><div class=\"tk-bar\" role=\"progressbar\" aria-valuemin=\"0\" aria-valuemax=\"100\" aria-valuenow=\"{width}\"><div class=\"tk-fill\" style=\"width:{width}%\"></div></div>{Fragment.Note(Line)}";
        }
    }

    internal string Plain => $"{Title} {PlainText.Bar(Fraction, 24)} {Line}";

    private string Line
    {
        get
        {
            var bytes = Unit == "bytes";
            var done = bytes ? Units.Bytes(Done) : Units.Count(Done);
            var count = (Total > 0 ? $"{done}/{(bytes ? Units.Bytes(Total) : Units.Count(Total))}" : done) + (bytes ? "" : $" {Unit}");
            var time = Final || Remaining is not { } left ? $"in {Units.Duration(Elapsed)}" : $"{Units.Duration(left)} left";
            return string.Join(" · ", new[] { count, bytes ? Units.BytesPerSecond(Rate) : Units.Rate(Rate, Unit), time, Facts }.Where(part => part.Length > 0)).ToString(CultureInfo.InvariantCulture);
        }
    }
}

/// <summary>Shows a progress bar and keeps it up to date, at most once an interval. Dispose it to show the last state.</summary>
/// <param name="title">What is being done.</param>
/// <param name="total">Units of the whole task; 0 where that is not known.</param>
/// <param name="unit">What is counted, in the plural.</param>
/// <param name="time">The clock; the system's where none is given.</param>
/// <param name="interval">Least time between two updates; one second where none is given.</param>
public sealed class ProgressTracker(string title, long total, string unit, TimeProvider? time = null, TimeSpan? interval = null) : IDisposable
{
    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly long _begin = (time ?? TimeProvider.System).GetTimestamp();
    private readonly TimeSpan _interval = interval ?? TimeSpan.FromSeconds(1);
    private DisplayHandle? _handle;
    private TimeSpan _shown;
    private ProgressBar? _last;
    private bool _disposed;

    /// <summary>Reports progress; draws where the last drawing is an interval old.</summary>
    public void Report(long done, long? newTotal = null, string facts = "")
    {
        var elapsed = _time.GetElapsedTime(_begin);
        _last = new ProgressBar(title, done, newTotal ?? total, elapsed, unit) { Facts = facts };
        if (_handle is null || elapsed - _shown >= _interval)
        {
            Draw(_last);
            _shown = elapsed;
        }
    }

    /// <summary>Shows the last state.</summary>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            Draw((_last ?? new ProgressBar(title, 0, total, TimeSpan.Zero, unit)) with { Elapsed = _time.GetElapsedTime(_begin), Final = true });
        }
    }

    private void Draw(ProgressBar bar)
    {
        if (_handle is null)
        {
            _handle = bar.Show();
        }
        else
        {
            _handle.Update(bar);
        }
    }
}
