using System.Runtime.CompilerServices;
using Toolkit.Graphs;
using Toolkit.Graphs.Cpu;
using Toolkit.Native;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Capture;

[CollectionDefinition(nameof(LeakTests), DisableParallelization = true)]
public sealed class LeakTestsCollection;

/// <summary>Compiled calls leave nothing behind.</summary>
[Collection(nameof(LeakTests))]
public sealed class LeakTests
{
    [Fact]
    public void AThousandCallsLeaveNothing()
    {
        using var still = no_grad();
        using var outer = NewDisposeScope();
        using var module = new Busy();
        module.eval();
        using var compiled = module.Compile(new CompileOptions { FullGraph = true, Cpu = new CpuOptions { IsOptimized = false } });
        var x = randint(0, 20, [2, 9], ScalarType.Int64);
        Calls(200);
        var live = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;

        // What .NET's own compilers take in the background counts too, so the least of some thousands counts: a leak shows in each.
        var (native, managed) = (long.MaxValue, long.MaxValue);
        var thousands = 0;
        for (; thousands < 6 && (native > 200_000 || managed > 200_000); thousands++)
        {
            Collect();
            var (nativeBefore, managedBefore) = (NativeMemory.AllocatedBytes(), GC.GetTotalMemory(true));
            Calls(1000);
            Assert.Equal(live, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
            Collect();
            (native, managed) = (Math.Min(native, NativeMemory.AllocatedBytes() - nativeBefore), Math.Min(managed, GC.GetTotalMemory(true) - managedBefore));
        }

        Assert.InRange(native, long.MinValue, 200_000);
        Assert.InRange(managed, long.MinValue, 200_000);
        Compiling.Counts(compiled.Explain(), 1, 199 + (1000 * thousands));

        void Calls(int count)
        {
            // No scope: what the call gives is all that there is to free.
            for (var i = 0; i < count; i++)
            {
                var (first, second, parts) = compiled.call(x);
                first.Dispose();
                second.Dispose();
                Array.ForEach(parts, part => part.Dispose());
            }
        }
    }

    /// <summary>Scalars and tensors that nobody holds while libtorch reads them show themselves beside a busy collector.</summary>
    [Theory]
    [InlineData(CompileMode.Simplified)]
    [InlineData(CompileMode.Kernels)]
    public void CallsBesideABusyCollector_GiveWhatTheyGave(CompileMode mode)
    {
        using var still = no_grad();
        using var outer = NewDisposeScope();
        using var module = new Written(x =>
        {
            var y = nn.functional.mish(nn.functional.softplus(x)).add(arange(8, ScalarType.Float32));
            return nn.functional.layer_norm(y, [8]).add(linalg.vector_norm(y, 3, [1], true)).add(2).pow(2);
        });
        using var compiled = module.Compile(new CompileOptions { FullGraph = true, Mode = mode, Cpu = new CpuOptions { IsOptimized = false } });
        var x = randn(4, 8);
        compiled.call(x);
        var expected = compiled.call(x);
        using (new BusyCollector())
        {
            for (var i = 0; i < 1500; i++)
            {
                using var result = compiled.call(x);
                Assert.True(result.allclose(expected, 0, 0));
            }
        }
    }

    [Fact]
    public void KernelsOfDroppedModulesAreUnloaded()
    {
        var code = CompileAndDrop();
        for (var i = 0; i < 20 && code.IsAlive; i++)
        {
            Collect();
        }

        Assert.False(code.IsAlive);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference CompileAndDrop()
    {
        using var still = no_grad();
        using var scope = NewDisposeScope();
        using var compiled = new Written(x => (x * 3.375).tanh() + 0.8125).Compile(new CompileOptions { Cpu = new CpuOptions { CacheFolder = null } });
        compiled.call(randn(5, 7));
        compiled.call(randn(5, 7));
        return ((CpuExecutable)((CompiledGraph)compiled.Executable).Executable).WatchCode();
    }

    private static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
    }

    /// <summary>Views that share memory, a native getter, a buffer that is written, a call that no kernel computes.</summary>
    private sealed class Busy : nn.Module<Tensor, (Tensor, Tensor, Tensor[])>
    {
        private readonly Embedding table = nn.Embedding(20, 8);
        private readonly TransformerEncoderLayer layer = nn.TransformerEncoderLayer(8, 2, 16, 0);
        private readonly Tensor seen = zeros(8);

        public Busy()
            : base(nameof(Busy)) => RegisterComponents();

        public override (Tensor, Tensor, Tensor[]) forward(Tensor x)
        {
            using var scope = NewDisposeScope();
            var y = layer.call(table.call(x));
            seen.add_(y.mean([0, 1]));
            return (y.MoveToOuterDisposeScope(), seen[..3].MoveToOuterDisposeScope(), [.. y.chunk(2, -1).Select(part => part.MoveToOuterDisposeScope())]);
        }
    }
}
