using System.Runtime.InteropServices;
using Toolkit.Graphs;
using Toolkit.Graphs.Cpu;
using Toolkit.Native;
using static TorchSharp.torch;
using NativeMemory = Toolkit.Native.NativeMemory;

namespace Toolkit.Tests.Graphs.Cpu;

/// <summary>Results lie in memory of earlier ones, but never while anything refers to those; and they are tensors like any other.</summary>
[CollectionDefinition(nameof(ResultMemoryTests), DisableParallelization = true)]
[Collection(nameof(ResultMemoryTests))]
public sealed unsafe class ResultMemoryTests : IDisposable
{
    private const int Side = 256; // 256 KB
    private readonly CpuExecutable _executable;
    private readonly Tensor _x = ones(Side, Side);

    public ResultMemoryTests()
    {
        var g = new GraphBuilder();
        var x = g.Input(new(ScalarType.Float32, [Side, Side]), GraphInputKind.Argument, "x");
        _executable = CpuBackend.Compile(g.Build([g.Add("aten::exp", x)]), new CpuOptions { CacheFolder = null });
        ResultMemory.Clear();
    }

    public static TheoryData<string> Holders => ["view", "slice", "alias", "detach", "storage", "gradient", "list"];

    public void Dispose()
    {
        _executable.Dispose();
        _x.Dispose();
        ResultMemory.Clear();
    }

    [Fact]
    public void What_was_given_back_is_used_again()
    {
        AssertUsable();
        nint first;
        using (var y = Run())
        {
            first = Address(y);
            using var other = Run();
            Assert.NotEqual(first, Address(other));
        }

        Assert.InRange(ResultMemory.KeptBytes, 2 * Side * Side * sizeof(float), ResultMemory.Most);
        using var again = Run();
        Assert.Equal(first, Address(again));
    }

    [Theory]
    [MemberData(nameof(Holders))]
    public void Memory_is_not_used_again_while_something_refers_to_it(string holder)
    {
        using var scope = NewDisposeScope();
        using var w = ones(Side, Side, requires_grad: true);
        var y = Run();
        var address = Address(y);
        Tensor held = holder switch
        {
            "view" => y.view(-1),
            "slice" => y[TensorIndex.Slice(3, 5)],
            "alias" => y.alias(),
            "detach" => y.detach(),
            "storage" => y.as_strided([4], [1], 7),
            "gradient" => (w * y).sum(),
            _ => y.split(100)[1],
        };
        y.Dispose();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        for (var i = 0; i < 5; i++)
        {
            using var other = _executable.Run([_x * i])[0];
            Assert.NotEqual(address, Address(other));
        }

        if (holder == "gradient")
        {
            held.backward();
            held = w.grad!;
        }

        Assert.True((held - (float)Math.E).abs().max().item<float>() < 1e-6);
    }

    [Fact]
    public void A_result_can_do_what_any_tensor_can()
    {
        using var scope = NewDisposeScope();
        var y = Run();
        y.add_(1);
        y[0, 0] = 5;
        Assert.Equal(5f, y.data<float>()[0]);
        Assert.Equal((float)Math.E + 1, y.t().contiguous()[3, 4].item<float>(), 1e-6f);

        // Longer than its memory: what is there stays, and further results may lie where it was.
        Resize(y, 2 * Side, Side);
        using var other = _executable.Run([_x * 0])[0];
        Assert.Equal([2 * Side, Side], y.shape);
        Assert.Equal(5f, y[0, 0].item<float>());
        Assert.Equal((float)Math.E + 1, y[Side - 1, Side - 1].item<float>(), 1e-6f);
        y.fill_(3);
        Assert.Equal(2 * Side * Side * 3f, y.sum().item<float>());
        Assert.Equal(1f, other.max().item<float>());

        var z = Run().requires_grad_();
        (z * z).sum().backward();
        Assert.Equal(2 * (float)Math.E, z.grad![1, 1].item<float>(), 1e-5f);
        Resize(y, 2);
        y.set_(other);
        Assert.Equal(1f, y.min().item<float>());
        Assert.Equal(Side * Side, Run().clone().to(ScalarType.Float64).numel());
    }

    [Fact]
    public void Memory_that_is_kept_is_bounded()
    {
        AssertUsable();
        var blocks = Enumerable.Range(0, 40).Select(i => ResultMemory.Take((i + 1) << 19)).ToArray();
        Array.ForEach(blocks, ResultMemory.Give);
        Assert.InRange(ResultMemory.KeptBytes, 1, ResultMemory.Most);
        ResultMemory.Give(ResultMemory.Take(2 * ResultMemory.Most));
        Assert.InRange(ResultMemory.KeptBytes, 1, ResultMemory.Most);
        ResultMemory.Clear();
        Assert.Equal(0, ResultMemory.KeptBytes);
    }

    [Fact]
    public void Results_come_and_go_on_several_threads()
    {
        var wrong = 0;
        var threads = Enumerable.Range(0, 4).Select(number => new Thread(() =>
        {
            for (var i = 0; i < 200; i++)
            {
                using var scope = NewDisposeScope();
                var value = (number * 0.01f) + (i * 0.001f);
                var x = full([Side, Side], value);
                var y = _executable.Run([x])[0].DetachFromDisposeScope();
                var error = (y - MathF.Exp(value)).abs().max().item<float>();
                if (i % 7 == 0)
                {
                    Resize(y, 300, Side);
                }

                Interlocked.Add(ref wrong, error < 1e-6 ? 0 : 1);
                if (i % 2 == 0)
                {
                    y.Dispose();
                }
                else
                {
                    ThreadPool.UnsafeQueueUserWorkItem(static tensor => tensor.Dispose(), y, preferLocal: false);
                }
            }
        })).ToArray();
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        Assert.Equal(0, wrong);
    }

    [Fact]
    public void A_thousand_decode_steps_leave_nothing_behind()
    {
        using var step = new LlamaStep(2, 64, 4, 2, 176, 300, 12, ScalarType.Float32);
        using var executable = CpuBackend.Compile(step.Graph(), new() { CacheFolder = null });
        using var scope = NewDisposeScope();
        var inputs = step.Inputs(tensor(new long[] { 3 }), tensor(new long[] { 5 }), arange(12));
        void Steps(int count)
        {
            for (var i = 0; i < count; i++)
            {
                foreach (var output in executable.Run(inputs))
                {
                    output.Dispose();
                }
            }
        }

        Steps(200);
        var (managed, native) = (GC.GetAllocatedBytesForCurrentThread(), NativeMemory.AllocatedBytes());
        Steps(1000);
        var perStep = (GC.GetAllocatedBytesForCurrentThread() - managed) / 1000;
        Assert.True(perStep < 600, $"{perStep} managed bytes a step (a tensor of TorchSharp and its handle are some 200)");
        Assert.InRange(NativeMemory.AllocatedBytes() - native, long.MinValue, 4_000_000);
    }

    /// <summary>TorchSharp has no resize_.</summary>
    private static void Resize(Tensor tensor, params long[] sizes)
    {
        fixed (long* extents = sizes)
        {
            LibTorchCalls.Check(((delegate* unmanaged<nint, long*, long, int*, int>)LibTorch.FindExport("aoti_torch_cpu_resize_"))(tensor.Handle, extents, sizes.Length, null), "resize_");
        }
    }

    /// <summary>Where the allocator must work; that it proves itself there does not depend on what lay in memory before.</summary>
    private static void AssertUsable()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == System.Runtime.InteropServices.Architecture.X64
            && LibTorch.Version?.StartsWith("2.10.", StringComparison.Ordinal) == true, "another libtorch, or another system");
        Assert.True(ResultAllocator.IsUsable);
    }

    private static nint Address(Tensor tensor) => LibTorchCalls.Address(tensor.Handle);

    private Tensor Run() => _executable.Run([_x])[0];
}
