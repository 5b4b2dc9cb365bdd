using Toolkit.Native;
using TorchSharp;

namespace Toolkit.Tests.Native;

public sealed class NativeMemoryTests
{
    [Theory]
    [InlineData(1 << 10)]
    [InlineData(64 << 20)]
    public void CountsWhatTensorsHold(int bytes)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "glibc tells; elsewhere the process's private memory is a coarse stand-in");
        var count = bytes > 1 << 20 ? 1 : 1000;
        var before = NativeMemory.AllocatedBytes();
        var tensors = Enumerable.Range(0, count).Select(_ => torch.zeros(bytes / 4)).ToArray();
        var held = NativeMemory.AllocatedBytes() - before;
        Array.ForEach(tensors, tensor => tensor.Dispose());
        var after = NativeMemory.AllocatedBytes() - before;

        var total = (long)bytes * count;
        Assert.InRange(held, total * 0.9, total * 2.5);
        Assert.InRange(after, -total, total * 0.5);
    }
}
