using Toolkit.Display;
using Toolkit.Evaluation;
using Toolkit.Measurement;
using Toolkit.Training;

namespace Toolkit.Tests.Display;

/// <summary>Records with known numbers.</summary>
internal static class Samples
{
    public static readonly MemoryUse Memory = new(14_000_000, 14_500_000, 28_000_000, 61_000_000);

    public static readonly DecodeMeasurement Decode = new(
        64, TimeSpan.FromMilliseconds(43), TimeSpan.FromSeconds(2), 2e8, new MachineCeiling(1.28e10, 1.53e11, 2), new MemoryUse(200_000_000, KeyValueCache: 12_000_000));

    public static TrainingStep[] Steps(int count, int total = 0) =>
    [
        .. Enumerable.Range(1, count).Select(step => new TrainingStep(
            step, total > 0 ? total : count, step * 2048L, 8.0 / step, 3e-4 / step, 1.25, 5000.5, TimeSpan.FromSeconds(step * 0.5))
        {
            ModelFlopsUtilization = 0.43,
            Memory = Memory,
            Validation = step % 5 == 0 ? new EvaluationResult(9.0 / step, 1000, 4200) : null,
        }),
    ];
}

/// <summary>Keeps what was shown.</summary>
internal sealed class RecordingHost : IDisplayHost
{
    public List<(MimeBundle Bundle, string Id, bool Update)> Shown { get; } = [];

    public string Written { get; private set; } = "";

    public void Display(MimeBundle bundle, string displayId, bool update) => Shown.Add((bundle, displayId, update));

    public void Write(string text) => Written += text;
}

/// <summary>A clock that moves only when it is told to.</summary>
internal sealed class StillClock : TimeProvider
{
    private long _ticks;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => _ticks;

    public void Advance(TimeSpan time) => _ticks += time.Ticks;
}
