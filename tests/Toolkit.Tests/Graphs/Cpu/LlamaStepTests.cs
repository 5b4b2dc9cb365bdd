using Toolkit.Graphs;
using Toolkit.Graphs.Cpu;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Cpu;

public sealed class LlamaStepTests
{
    [Theory]
    [InlineData(ScalarType.Float32, 1e-5)]
    [InlineData(ScalarType.BFloat16, 2e-2)]
    public void A_decode_step_is_that_of_TorchSharp_position_after_position(ScalarType type, double tolerance)
    {
        using var step = new LlamaStep(2, 64, 4, 2, 176, 300, 12, type);
        var graph = step.Graph();
        using var executable = CpuBackend.Compile(graph, new() { CacheFolder = null });
        Assert.Empty(executable.FallbackCalls);
        Assert.Equal(0, executable.LibTorchProducts);
        using var scope = NewDisposeScope();
        var positions = arange(12);
        var saved = step.Caches.Select(cache => cache.clone()).ToArray();
        var expected = Enumerable.Range(0, 12).Select(i => step.Eager(tensor(new long[] { 7 * i }), i)).ToArray();
        var caches = step.Caches.Select(cache => cache.clone()).ToArray();
        for (var i = 0; i < saved.Length; i++)
        {
            step.Caches[i].copy_(saved[i]);
        }

        for (var i = 0; i < 12; i++)
        {
            CpuBackendTests.Close(expected[i], executable.Run(step.Inputs(tensor(new long[] { 7 * i }), tensor(new long[] { i }), positions))[0], tolerance);
        }

        for (var i = 0; i < caches.Length; i++)
        {
            CpuBackendTests.Close(caches[i], step.Caches[i], tolerance);
        }
    }

    [Fact]
    public void Intermediates_share_memory()
    {
        using var step = new LlamaStep(8, 64, 4, 2, 176, 300, 12, ScalarType.Float32);
        using var executable = CpuBackend.Compile(step.Graph(), new() { CacheFolder = null });
        Assert.True(executable.ArenaBytes * 5 < executable.IntermediateBytes, $"{executable.ArenaBytes} bytes for {executable.IntermediateBytes}");

        // Eight layers are one layer's kernels, called eight times.
        Assert.True(executable.Kernels.Count < 20, $"{executable.Kernels.Count} kernels");
        Assert.Contains(executable.Kernels, kernel => kernel.Calls == 8);
        Assert.Contains("layers.0 Block.forward", executable.Kernels[3].Source.Text);
    }
}
