using Toolkit.Graphs;
using Toolkit.Graphs.Dispatch;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Toolkit.Tests.Graphs.Capture;

/// <summary>Programs as people write them, whose random numbers, lists, handles and results are easily captured wrong.</summary>
[Collection(nameof(SharedGeneratorTests))]
public sealed class ProgramTrapTests : InferenceTests
{
    [Fact]
    public void ListsAreWrittenAsLiterals() => Whole(x =>
    {
        List<Tensor> states = [x, x + 1];
        foreach (var factor in (ReadOnlySpan<int>)[1, 2])
        {
            states.Add(states[^1] * factor);
        }

        List<Tensor> all = [.. states, x];
        return cat(all, -1);
    });

    [Fact]
    public void DigitsThatAConversionDropsAreGone()
    {
        Whole(x => x - x.to(ScalarType.BFloat16).to(ScalarType.Float32));
        Whole(x => (x * 3).to(ScalarType.Float16).to(ScalarType.Float32) - (x * 3));
    }

    [Fact]
    public void ValuesThatAreMadeWhenTheyAreAskedForStay()
    {
        var (table, count) = (new Lazy<Tensor>(() => tensor(3f).DetachFromDisposeScope()), new Lazy<int>(() => 2));
        Whole(x => (x * table.Value) + count.Value);
    }

    [Fact]
    public void ExtentsOfArraysOfTwoDimensionsAreRead()
    {
        var factors = new double[,] { { 1, 2 }, { 3, 4 } };
        Whole(x =>
        {
            var sum = x;
            for (var i = 0; i < factors.GetLength(0) * factors.GetLength(1); i++)
            {
                sum += x.roll(i, -1) * factors[i / 2, i % 2];
            }

            return sum;
        });
    }

    [Fact]
    public void DelegatesArePutTogether() => Whole(x =>
    {
        var sum = x;
        Action<Tensor> add = y => sum += y;
        add += y => sum += y * 2;
        add(x);
        return sum;
    });

    [Fact]
    public void SequencesOfTensorsAreLiterals() => Whole(x => meshgrid([x[0], x[1]])[0] + stack([x[0], x[1]]).sum());

    [Fact]
    public void ArraysThatAreReadThroughSpansAreWatched()
    {
        using var module = new Scaled([2, 3]);
        using var compiled = module.Compile();
        Compiling.Agrees(compiled, randn(2, 3));
        module.Factors[1] = 5;
        Compiling.Agrees(compiled, randn(2, 3));
        Assert.True(compiled.Explain().EagerCalls == 0 && compiled.Explain().Breaks.IsEmpty, compiled.Explain().ToString());
    }

    [Fact]
    public void SequencesOfTensorsFromOutsideAreWatched()
    {
        var queue = new Queue<Tensor>([ones(2, 3)]);
        using var module = new Written(x => stack(queue, 0).sum(0) + x);
        using var compiled = module.Compile();
        Compiling.Agrees(compiled, randn(2, 3));
        queue.Enqueue(ones(2, 3) * 5);
        Compiling.Agrees(compiled, randn(2, 3));
    }

    [Fact]
    public void ArraysThatOutliveTheCallAreNotChangedThroughSpansUnseen()
    {
        using var module = new Counting();
        using var compiled = module.Compile();
        var x = ones(2);
        for (var call = 1; call < 5; call++)
        {
            Compiling.Same(x * call, compiled.call(x));
        }
    }

    [Fact]
    public void RandomNumbersAreDrawnInTheProgramsOrder()
    {
        // What the first drawing needs is done last: nothing else would hold the second one back.
        Whole(x =>
        {
            var first = functional.dropout(x.matmul(x.transpose(0, 1)).matmul(x).softmax(-1).matmul(x.transpose(0, 1)), 0.5, true);
            var second = functional.dropout(x + 1, 0.5, true);
            return cat([first.flatten(), second.flatten(), functional.dropout(first.sum() + second, 0.5, true).flatten()]);
        });

        // A loop that could hold parts from before and after a drawing.
        Whole(x =>
        {
            var source = (x * 2) + 1;
            var a = functional.dropout(source, 0.5, true);
            var b = functional.dropout(x.exp(), 0.5, true);
            return ((source * 3) + b) * functional.dropout(a + 1, 0.5, true);
        });
    }

    [Fact]
    public void RandomNumbersAreDrawnInTheOrderOfMemory() => Whole(x =>
        functional.dropout(x.transpose(0, 1) * 2, 0.5, true) + (x.transpose(0, 1) + 1).sigmoid().bernoulli() + randn_like(x.exp().transpose(0, 1)));

    [Fact]
    public void AMaskedPlaceTakesANumberOfAnotherType() => Whole(x =>
    {
        var y = x.to(ScalarType.BFloat16) * 1;
        y[TensorIndex.Tensor(y > 0)] = 9f;
        return y.to(ScalarType.Float32);
    });

    [Fact]
    public void AMaskStandsForAllItsDimensions() => Whole(x =>
    {
        var y = stack([x, x * 2, x * 3], -1);
        y[TensorIndex.Tensor(x > 0), TensorIndex.Slice(0, 2)] = 5f;
        y[TensorIndex.Ellipsis, TensorIndex.Tensor(y[0] > 1)] = -1f;
        y[TensorIndex.Tensor(x < -1), TensorIndex.Tensor(tensor(2L))] = 7f;
        return y;
    });

    [Fact]
    public void AContiguousCopyThatIsChangedIsReturned()
    {
        using var module = new Written(x =>
        {
            var copy = x[.., ..1].expand(-1, 3).contiguous();
            copy[0] = 1f;
            return copy;
        });
        using var compiled = module.Compile();
        Compiling.Agrees(compiled, randn(4, 6));
    }

    [Fact]
    public void AContiguousCopyThatIsChanged_IsComputedByKernelsWhereNobodyCanTellItFromAView()
    {
        using var module = new Written(x => (x * 2).transpose(0, 1).contiguous().relu_() + 1);
        using var compiled = module.Compile();
        Compiling.Agrees(compiled, randn(4, 6));
        Assert.Null(((CompiledGraph)compiled.Executable).WhyInterpreted);
        using var comparing = new Written(x =>
        {
            var y = x * 2;
            var same = y.contiguous();
            same.add_(1);
            return y + same;
        });
        using var compared = comparing.Compile();
        Compiling.Agrees(compared, randn(4, 6));
        Assert.Contains("runs operation by operation: functionalisation: whether", compared.Explain().ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void ComplexNumbersComeOut() => Whole(x => view_as_real(torch.complex(x, x + 1) * torch.complex(x, x)).sum(-1) + polar(x.abs(), x).abs());

    [Fact]
    public void AComplexResultIsReturned()
    {
        using var module = new Written(x => torch.complex(x, x + 1));
        using var compiled = module.Compile();
        for (var call = 0; call < 2; call++)
        {
            var x = randn(2, 3);
            Compiling.Same(view_as_real(module.call(x)), view_as_real(compiled.call(x)));
        }
    }

    [Fact]
    public void FlattenedTensorsAreRolled() => Whole(x => x.roll(2) + torch.roll(x, 1));

    [Fact]
    public void FunctionsWithoutARuleAreOpened()
    {
        var report = Whole(x => x.mT.matmul(x).mT.sum() + functional.normalize(x, dim: -1) + functional.cosine_similarity(x, x + 1, 1).sum() + functional.relu6(x) + functional.selu(x)
            + functional.pad(x, (1, 1), PaddingModes.Reflect).sum() + broadcast_tensors(x, x[0])[1] + x.argsort(-1) + x.norm() + x.movedim([0], [1]).movedim([0], [1]) + hstack([x, x]).sum() + functional.max_pool1d(x, 2).sum());
        Assert.True(report.OpaqueCalls.IsEmpty || !DispatcherCapture.IsAvailable, report.ToString());
    }

    [Fact]
    public void FunctionsWithoutARuleStayCallsWhereNothingCanBeOpened()
    {
        using var off = DispatcherCapture.TurnOff("libtorch has no symbol x");
        Assert.NotEmpty(Whole(x => functional.normalize(x, dim: -1) + x.argsort(-1)).OpaqueCalls);
    }

    private static CompileReport Whole(Func<Tensor, Tensor> body)
    {
        using var module = new Written(body);
        using var compiled = module.Compile();
        Compiling.Agrees(compiled, randn(4, 6));
        Compiling.Agrees(compiled, randn(4, 6));
        var report = compiled.Explain();
        Assert.True(report is { CapturedCalls: 1, CompiledCalls: 3, Breaks.IsEmpty: true }, report.ToString());
        Assert.Null(((CompiledGraph)compiled.Executable).WhyInterpreted);
        return report;
    }

    private sealed class Scaled(int[] factors) : Module<Tensor, Tensor>("scaled")
    {
        public int[] Factors => factors;

        public override Tensor forward(Tensor input)
        {
            ReadOnlySpan<int> all = factors;
            foreach (var factor in factors.AsSpan())
            {
                input *= factor;
            }

            return input + all[^1];
        }
    }

    private sealed class Counting() : Module<Tensor, Tensor>("counting")
    {
        private readonly int[] _calls = [0];

        public override Tensor forward(Tensor input)
        {
            _calls.AsSpan()[0]++;
            return input * _calls[0];
        }
    }
}
