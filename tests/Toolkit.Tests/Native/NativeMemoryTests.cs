using Toolkit.Native;
using TorchSharp;

namespace Toolkit.Tests.Native;

/// <summary>The whole process is counted: nothing else may run beside it.</summary>
[CollectionDefinition(nameof(NativeMemoryTests), DisableParallelization = true)]
[Collection(nameof(NativeMemoryTests))]
public sealed class NativeMemoryTests
{
    [Theory]
    [InlineData(1 << 10)]
    [InlineData(64 << 20)]
    public void CountsWhatTensorsHold(int bytes)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "glibc tells; elsewhere the process's private memory is a coarse stand-in");
        var count = bytes > 1 << 20 ? 1 : 1000;
        var total = (long)bytes * count;

        // What .NET frees or takes meanwhile counts too: one quiet moment is enough.
        var seen = new List<(long Held, long After)>();
        for (var i = 0; i < 10 && !seen.Exists(IsRight); i++)
        {
            var before = NativeMemory.AllocatedBytes();
            var tensors = Enumerable.Range(0, count).Select(_ => torch.zeros(bytes / 4)).ToArray();
            var held = NativeMemory.AllocatedBytes() - before;
            Array.ForEach(tensors, tensor => tensor.Dispose());
            seen.Add((held, NativeMemory.AllocatedBytes() - before));
        }

        Assert.Contains(seen, IsRight);

        bool IsRight((long Held, long After) one) => one.Held >= total * 0.9 && one.Held <= total * 2.5 && one.After >= -total && one.After <= total * 0.5;
    }
}
