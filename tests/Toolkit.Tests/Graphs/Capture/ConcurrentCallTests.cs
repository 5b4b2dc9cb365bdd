using Toolkit.Graphs;
using Toolkit.Graphs.Cpu;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Capture;

/// <summary>Compiled modules that several threads call at once, and that one of them disposes of.</summary>
public sealed class ConcurrentCallTests
{
    private const int Threads = 4;
    private static readonly CompileOptions _options = new() { RecompileLimit = 32, Cpu = new CpuOptions { IsOptimized = false } };

    [Fact]
    public void Threads_GetTheirOwnResults_FromTheFirstCallOn()
    {
        using var module = new Chained();
        for (var round = 0; round < 3; round++)
        {
            using var compiled = module.Compile(_options);
            OnThreads(thread =>
            {
                using var still = no_grad();
                for (var call = 0; call < 40; call++)
                {
                    using var scope = NewDisposeScope();
                    var x = tensor(Enumerable.Range(0, 16 * (1 + ((thread + call) % 3))).Select(i => (float)(thread + (call * 0.25) + (i * 0.01))).ToArray()).view(-1, 16);
                    Near(Expected(module, x), compiled.call(x));
                }
            });
        }
    }

    [Fact]
    public void ADisposedModule_IsFreedWhenItsCallsHaveEnded()
    {
        using var module = new Chained();
        using var x = ones(3, 16);
        for (var round = 0; round < 12; round++)
        {
            var compiled = module.Compile(_options);
            using (no_grad())
            {
                compiled.call(x).Dispose();
            }

            using var start = new Barrier(Threads);
            OnThreads(thread =>
            {
                using var still = no_grad();
                start.SignalAndWait();
                if (thread == 0)
                {
                    Thread.SpinWait(2000 * round);
                    compiled.Dispose();
                    return;
                }

                try
                {
                    while (true)
                    {
                        using var scope = NewDisposeScope();
                        Near(Expected(module, x), compiled.call(x));
                    }
                }
                catch (ObjectDisposedException)
                {
                    // It was told.
                }
            });
            Assert.Throws<ObjectDisposedException>(() => compiled.call(x));
        }
    }

    [Fact]
    public void TrainingGoesOn_WhileAnotherThreadDisposesOfTheModule()
    {
        for (var round = 0; round < 6; round++)
        {
            using var module = new Chained();
            var compiled = module.Compile(_options);
            using var x = ones(3, 16);
            compiled.call(x).sum().backward();
            using var start = new Barrier(2);
            OnThreads(
                thread =>
                {
                    start.SignalAndWait();
                    if (thread == 0)
                    {
                        Thread.Sleep(round);
                        compiled.Dispose();
                        return;
                    }

                    // A backward pass that comes too late says so; one that does not has its gradients.
                    for (var isAlive = true; isAlive;)
                    {
                        using var scope = NewDisposeScope();
                        module.zero_grad();
                        try
                        {
                            compiled.call(x).sum().backward();
                            Assert.All(module.parameters(), parameter => Assert.True(parameter.grad!.isfinite().all().ToBoolean()));
                        }
                        catch (Exception end) when (end is ObjectDisposedException or System.Runtime.InteropServices.ExternalException)
                        {
                            isAlive = false;
                        }
                    }
                },
                2);
        }
    }

    [Fact]
    public void CallsUnderWay_FreeOnce_WhenTheLastEnds()
    {
        var freed = 0;
        var calls = new CallsUnderWay(() => freed++);
        Assert.True(calls.TryBegin());
        Assert.True(calls.TryBegin());
        calls.Close();
        calls.Close();
        Assert.False(calls.TryBegin());
        calls.End();
        Assert.Equal(0, freed);
        calls.End();
        Assert.Equal(1, freed);
        calls.Close();
        Assert.Equal(1, freed);
        Assert.True(calls.IsClosed);
    }

    private static void OnThreads(Action<int> action, int count = Threads)
    {
        var problems = new System.Collections.Concurrent.ConcurrentBag<Exception>();
        var threads = Enumerable.Range(0, count).Select(i => new Thread(() =>
        {
            try
            {
                action(i);
            }
            catch (Exception problem)
            {
                problems.Add(problem);
            }
        })).ToArray();
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        Assert.Empty(problems);
    }

    private static Tensor Expected(Chained module, Tensor x) => module.forward(x);

    private static void Near(Tensor expected, Tensor actual) => Assert.True(expected.allclose(actual, 1e-4, 1e-5), $"{expected.sum().item<float>()} and {actual.sum().item<float>()}");

    private sealed class Chained : nn.Module<Tensor, Tensor>
    {
        private readonly TorchSharp.Modules.Linear _first = nn.Linear(16, 32);
        private readonly TorchSharp.Modules.LayerNorm _norm = nn.LayerNorm(32);
        private readonly TorchSharp.Modules.Linear _second = nn.Linear(32, 16);

        public Chained()
            : base(nameof(Chained)) => RegisterComponents();

        public override Tensor forward(Tensor x) => _second.call(nn.functional.gelu(_norm.call(_first.call(x)))).mul(x).sigmoid();
    }
}
