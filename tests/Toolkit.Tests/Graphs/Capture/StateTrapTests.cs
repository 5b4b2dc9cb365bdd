using Toolkit.Graphs;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Capture;

/// <summary>What lives outside of a call: parameters, modes, fields, collections. A compiled module sees every change.</summary>
[Collection(nameof(SharedGeneratorTests))]
public sealed class StateTrapTests : InferenceTests
{
    [Fact]
    public void ParametersAreThoseOfTheCall()
    {
        using var module = nn.Linear(4, 3);
        using var compiled = module.Compile(randn(2, 4));
        var x = randn(2, 4);
        Compiling.Same(module.call(x), compiled.call(x));
        module.weight!.add_(1);
        Compiling.Same(module.call(x), compiled.call(x));
        using (enable_grad())
        {
            using var optimizer = optim.SGD(module.parameters(), 0.5);
            module.call(x).sum().backward();
            optimizer.step();
            optimizer.zero_grad();
        }

        Compiling.Same(module.call(x), compiled.call(x));
        Compiling.Counts(compiled.Explain(), 1, 3);
        module.weight = nn.Parameter(randn(3, 4));
        Compiling.Agrees(compiled, x);
    }

    [Fact]
    public void MovedModulesAreCapturedAgain()
    {
        using var module = nn.Sequential(nn.Linear(4, 3), nn.ReLU());
        using var compiled = module.Compile(randn(2, 4));
        module.to(ScalarType.Float64);
        Compiling.Agrees(compiled, randn([2, 4], ScalarType.Float64));
        module.to(ScalarType.BFloat16);
        Compiling.Agrees(compiled, randn([2, 4], ScalarType.BFloat16), 1e-2);
        Assert.Equal(3, compiled.Explain().Graphs.Length);
    }

    [Fact]
    public void ModesOfModulesAreGuarded()
    {
        using var module = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Dropout(0.5));
        using var compiled = module.Compile();
        var x = randn(5, 6);
        foreach (var isTraining in new[] { true, false, true, false })
        {
            module.train(isTraining);
            var (mean, before) = (module.state_dict()["1.running_mean"], module.state_dict()["1.running_mean"].clone());
            manual_seed(3);
            var expected = module.call(x);
            var after = mean.clone();
            mean.copy_(before);
            manual_seed(3);
            Compiling.Same(expected, compiled.call(x));
            Compiling.Same(after, mean);
        }

        Compiling.Counts(compiled.Explain(), 2, 2);
    }

    [Fact]
    public void StatisticsOfBatchNormsFollowEager()
    {
        manual_seed(1);
        using var module = nn.BatchNorm1d(4);
        using var twin = nn.BatchNorm1d(4);
        using var compiled = module.Compile();
        for (var i = 0; i < 4; i++)
        {
            var x = randn(6, 4);
            Compiling.Same(twin.call(x), compiled.call(x));
            foreach (var (name, value) in twin.state_dict())
            {
                Compiling.Same(value, module.state_dict()[name]);
            }
        }

        Assert.Equal(3, compiled.Explain().CompiledCalls);
    }

    [Fact]
    public void DropoutDrawsWhatEagerDraws()
    {
        using var module = nn.Sequential(nn.Linear(8, 64), nn.Dropout(0.4), nn.Dropout(0.2));
        using var compiled = module.Compile(randn(3, 8));
        var x = randn(3, 8);
        Assert.True(compiled.call(x).ne(compiled.call(x)).any().item<bool>());
        Compiling.Agrees(compiled, x);
        manual_seed(9);
        _ = (module.call(x), rand(1));
        var expected = rand(3);
        manual_seed(9);
        _ = (compiled.call(x), rand(1));
        Compiling.Same(expected, rand(3), 0); // the generator stands where eager leaves it
    }

    [Fact]
    public void CollectionsThatGrowAreSeen()
    {
        var module = new Growing();
        using var compiled = module.Compile();
        var x = randn(2, 4);
        Compiling.Agrees(compiled, x);
        module.Layers.Add(nn.Linear(4, 4));
        Compiling.Agrees(compiled, x);
        module.Factors.Add(3);
        Compiling.Agrees(compiled, x);
        module.Factors[0] = -1;
        Compiling.Agrees(compiled, x);
        module.Shifts[1] = 7;
        Compiling.Agrees(compiled, x);
        module.Named["b"] = 2;
        Compiling.Agrees(compiled, x);
        Compiling.Counts(compiled.Explain(), 6, 6);
    }

    [Fact]
    public void CountersAreRightAndBounded()
    {
        var module = new Counting();
        var twin = new Counting();
        using var compiled = module.Compile(new CompileOptions { RecompileLimit = 3 });
        var x = randn(2);
        for (var i = 0; i < 8; i++)
        {
            Compiling.Same(twin.call(x), compiled.call(x));
            Assert.Equal(twin.Calls, module.Calls);
        }

        // The number that is another in each call is read by the program itself; what comes after it is a graph.
        var report = compiled.Explain();
        Assert.True(report is { EagerCalls: 0, CapturedCalls: <= 3 } && report.Graphs.Length <= 4, report.ToString());
    }

    [Fact]
    public void FieldsThatAreOnlyWrittenAreWritten()
    {
        var module = new Remembering();
        using var compiled = module.Compile();
        for (var i = 0; i < 3; i++)
        {
            var x = randn(2, 3);
            Compiling.Same(x.mul(2).sum(), compiled.call(x));
            Compiling.Same(x.mul(2), module.Last!);
            Assert.Equal((2, 6), module.Seen);
        }

        Compiling.Counts(compiled.Explain(), 1, 2);
    }

    [Fact]
    public void CachesInFieldsGrow()
    {
        var (module, twin) = (new Caching(), new Caching());
        using var compiled = module.Compile();
        for (var i = 0; i < 5; i++)
        {
            var x = randn(1, 1, 4);
            Compiling.Same(twin.call(x), compiled.call(x));
            Assert.Equal(i + 1, module.Keys!.shape[1]);
        }
    }

    [Fact]
    public void GradientsFlowWhereTheyAreAskedFor()
    {
        using var module = nn.Sequential(nn.Linear(4, 4), nn.Tanh());
        using var compiled = module.Compile(randn(2, 4));
        using var recording = enable_grad();
        foreach (var needs in new[] { true, false, true })
        {
            module.parameters().ToList().ForEach(parameter => parameter.requires_grad_(needs));
            var x = randn(2, 4).requires_grad_(true);
            var expected = autograd.grad([module.call(x).pow(2).sum()], [x])[0];
            for (var call = 0; call < 2; call++)
            {
                var y = compiled.call(x);
                Assert.True(y.requires_grad);
                Compiling.Same(expected, autograd.grad([y.pow(2).sum()], [x])[0]);
            }

            Assert.Equal(needs, compiled.call(x.detach()).requires_grad);
        }
    }

    [Fact]
    public void ManyThreadsMayCall()
    {
        using var module = nn.Sequential(nn.Linear(16, 16), nn.GELU(), nn.LayerNorm(16));
        using var compiled = module.Compile();
        var inputs = Enumerable.Range(0, 4).Select(i => randn(i + 1, 16)).ToArray();
        var expected = inputs.Select(x => module.call(x)).ToArray();
        Exception? problem = null;
        var threads = Enumerable.Range(0, 4).Select(start => new Thread(() =>
        {
            try
            {
                using var scope = NewDisposeScope();
                using var still = no_grad();
                for (var i = 0; i < 30; i++)
                {
                    var at = (start + i) % 4;
                    Compiling.Same(expected[at], compiled.call(inputs[at]));
                }
            }
            catch (Exception e)
            {
                problem = e;
            }
        })).ToArray();
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        Assert.Null(problem);
        Assert.Equal(4, compiled.Explain().CapturedCalls);
    }

    private sealed class Growing : nn.Module<Tensor, Tensor>
    {
        public Growing()
            : base(nameof(Growing)) => RegisterComponents();

        public ModuleList<Linear> Layers { get; } = new(nn.Linear(4, 4));

        public List<double> Factors { get; } = [2];

        public float[] Shifts { get; } = [1, 2];

        public Dictionary<string, double> Named { get; } = new() { ["a"] = 1.5 };

        public override Tensor forward(Tensor x)
        {
            foreach (var layer in Layers)
            {
                x = layer.call(x).relu();
            }

            x = Factors.Aggregate(x, (sum, factor) => sum * factor) + tensor(Shifts).sum();
            return Named.TryGetValue("b", out var b) ? x * b : x + Named["a"];
        }
    }

    private sealed class Counting() : nn.Module<Tensor, Tensor>(nameof(Counting))
    {
        public int Calls { get; private set; }

        public override Tensor forward(Tensor x) => x * ++Calls;
    }

    private sealed class Remembering() : nn.Module<Tensor, Tensor>(nameof(Remembering))
    {
        public Tensor? Last { get; private set; }

        public (int Rows, int Values) Seen { get; private set; }

        public override Tensor forward(Tensor x)
        {
            Last = (x * 2).DetachFromDisposeScope();
            Seen = ((int)x.shape[0], (int)x.numel());
            return Last.sum();
        }
    }

    private sealed class Caching() : nn.Module<Tensor, Tensor>(nameof(Caching))
    {
        public Tensor? Keys { get; private set; }

        public override Tensor forward(Tensor x)
        {
            Keys = (Keys is null ? x.clone() : cat([Keys, x], 1)).DetachFromDisposeScope();
            return x.matmul(Keys.transpose(1, 2)).softmax(-1).matmul(Keys);
        }
    }
}
