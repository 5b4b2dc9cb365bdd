using Toolkit.Display;
using Toolkit.Measurement;

namespace Toolkit.Tests.Measurement;

public sealed class DoctorTests
{
    [Fact]
    public void ReportsVersionsAndMeasuredRates()
    {
        var report = Doctor.Examine();
        Assert.True(report.IsHealthy);
        foreach (var name in new[] { "Toolkit", ".NET", "Processor", "SIMD", "Memory", "TorchSharp", "libtorch", "ATen recording", "Threads", "Read bandwidth", "Matrix products" })
        {
            Assert.Contains(report.Findings, finding => finding.Name == name && finding.Value.Length > 0);
        }

        Assert.All(report.Missing, line => Assert.DoesNotContain('\n', line));
        var bundle = Formatter.Format(report);
        Assert.Contains("GFLOP/s", bundle.Plain);
        Assert.Contains("SIMD", bundle.Html);
    }

    [Fact]
    public void CeilingsAreRememberedAndPlausible()
    {
        var ceiling = MachineCeilings.Measure();
        Assert.Same(ceiling, MachineCeilings.Measure());
        // Wide bounds: the slowest machine that runs .NET to the fastest node there is.
        Assert.InRange(ceiling.ReadBytesPerSecond, 0.5e9, 5e12);
        Assert.InRange(ceiling.MatMulFlopsPerSecond, 0.5e9, 1e14);
        Assert.True(ceiling.Threads >= 1);
    }
}
