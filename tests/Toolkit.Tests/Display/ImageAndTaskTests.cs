using Toolkit.Display;
using TorchSharp;

namespace Toolkit.Tests.Display;

public sealed class ImageAndTaskTests
{
    private static readonly byte[] Png = Convert.FromBase64String("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==");

    [Fact]
    public void APictureByItsBytes()
    {
        var bundle = Formatter.Format(ImageView.Of(Png));
        Assert.Equal(Png, Convert.FromBase64String(bundle.Parts["image/png"]));
        Assert.Contains("data:image/png;base64,", bundle.Html);
        Assert.StartsWith("image/png picture", bundle.Plain);
        Assert.Contains("<svg", Formatter.Format(ImageView.Of("<svg></svg>"u8.ToArray())).Parts["image/svg+xml"]);
        Assert.Contains("3 bytes", Assert.Throws<InvalidDataException>(() => ImageView.Of([1, 2, 3])).Message);
    }

    [Fact]
    public async Task ATaskIsItsResult()
    {
        Assert.Equal("7", Formatter.Format(Task.FromResult(7)).Plain);
        var done = Task.Run(() => { }, TestContext.Current.CancellationToken);
        await done;
        Assert.Equal("Task: done", Formatter.Format(done).Plain);
        Assert.Contains("still running", Formatter.Format(new TaskCompletionSource().Task).Plain);
        Assert.Contains("no", Formatter.Format(Task.FromException(new InvalidOperationException("no"))).Plain);
    }

    [Fact]
    public void ATensorHasStatisticsAndAMatrixAHeatMap()
    {
        using var scope = torch.NewDisposeScope();
        var matrix = Formatter.Format(torch.tensor(new float[,] { { 1, -2 }, { float.NaN, 4 } }));
        Assert.Contains("min -2, max 4, mean 1, deviation 2.449; 1 not finite", matrix.Plain);
        Assert.Equal(4, matrix.Html!.Split("<rect").Length - 1);
        Assert.Equal(32 * 32, Formatter.Format(torch.ones(100, 70)).Html!.Split("<rect").Length - 1);
        Assert.DoesNotContain("<rect", Formatter.Format(torch.ones(5)).Html);
        Assert.DoesNotContain("min", Formatter.Format(torch.tensor(3f)).Plain);
    }
}
