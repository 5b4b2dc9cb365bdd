using System.Globalization;
using Toolkit.Graphs;
using Toolkit.Graphs.Dispatch;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Toolkit.Tests.Graphs.Capture;

/// <summary>Programs that do something with a size: whatever it is, each size gives what the program gives.</summary>
[Collection(nameof(SharedGeneratorTests))]
public sealed class DynamicProgramTests : InferenceTests
{
    private static readonly long[] _table = [5, 3, 8, 1, 9, 2, 7, 4, 6, 0, 11, 13, 12, 10, 15, 14, 19, 18, 17, 16, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40];

    /// <summary>What the program does, of an input (2, T, 4); and whether one capture stands for all sizes from two on.</summary>
    private static readonly Dictionary<string, (Func<Tensor, Tensor> Body, bool IsOne)> _programs = new()
    {
        ["reshape"] = (x => x.reshape(x.shape[0] * x.shape[1], 4), true),
        ["flattened"] = (x => x.view(-1, x.shape[1] * 4), true),
        ["shape list"] = (x => x.transpose(1, 2).reshape([.. x.shape[..1], 2, 2, x.shape[1]]), true),
        ["shape by LINQ"] = (x => x.view([.. x.shape.Take(2), 2, 2]).sum(-1), true),
        ["shape by tuple"] = (x => Of(x) is var (b, t, d) ? x.view(b, t * d) : x, true),
        ["shape product"] = (x => x.reshape([x.shape.Aggregate((a, b) => a * b)]), true),
        ["last element"] = (x => x[.., (int)x.shape[1] - 1], true),
        ["last element from the end"] = (x => x[.., ^1], true),
        ["all but the last"] = (x => x[.., ..(int)(x.shape[1] - 1)] + x.narrow(1, 1, x.shape[1] - 1), true),
        ["half"] = (x => x.narrow(1, 0, x.shape[1] / 2), false),
        ["even and odd"] = (x => x.shape[1] % 2 == 0 ? x.exp() : x.tanh(), false),
        ["lowest bit"] = (x => (x.shape[1] & 1) == 0 ? x.exp() : x.tanh(), false),
        ["power of two"] = (x => x * (1 << (int)x.shape[1]), false),
        ["square"] = (x => x.matmul(x.transpose(1, 2)).reshape(2, x.shape[1] * x.shape[1]), false),
        ["square by inference"] = (x => x.matmul(x.transpose(1, 2)).reshape(2, -1), true),
        ["square that is compared"] = (x => x.matmul(x.transpose(1, 2)).numel() > 200 ? x.exp() : x.tanh(), false),
        ["root"] = (x => x / Math.Sqrt(x.shape[1]), true),
        ["power"] = (x => x * Math.Pow(x.shape[1], -0.5), true),
        ["logarithm"] = (x => x + (MathF.Log(x.shape[1]) * -2f), true),
        ["negative"] = (x => x * -(1.0 / x.shape[1]), true),
        ["part"] = (x => x + ((x.shape[1] - 1) / 7.0), true),
        ["warmth"] = (x => softmax(x * (float)(1 / (0.5 + (0.25 * x.shape[1]))), 1), true),
        ["real threshold"] = (x => 1.0 / x.shape[1] > 0.01 ? x.exp() : x.tanh(), true),
        ["real threshold that is met"] = (x => Math.Sqrt(x.shape[1]) > 3.5 ? x.exp() : x.tanh(), false),
        ["divided by its length"] = (x => x.sum(1) / x.shape[1], true),
        ["real length"] = (x => x.sum(1) * (1f / x.shape[1]), true),
        ["rounded"] = (x => x * (int)(x.shape[1] * 0.3), false),
        ["absolute"] = (x => x * Math.Abs(x.shape[1] - 8), false),
        ["clamped"] = (x => x * Math.Clamp(x.shape[1], 4, 9), false),
        ["at most 8"] = (x => x[.., ..(int)Math.Min(x.shape[1], 8)], false),
        ["switch"] = (x => (int)x.shape[1] switch { 0 or 1 or 2 => x, 3 => x.exp(), 4 => x.tanh(), 5 => x.sigmoid(), _ => x.relu() }, false),
        ["table"] = (x => x * _table[(int)x.shape[1]], false),
        ["dictionary"] = (x => x * (new Dictionary<long, int> { [3] = 5, [10] = 7 }.TryGetValue(x.shape[1], out var factor) ? factor : 2), false),
        ["text"] = (x => x * x.shape[1].ToString(CultureInfo.InvariantCulture).Length, false),
        ["set"] = (x => new HashSet<long> { 5, 9 }.Contains(x.shape[1]) ? x.exp() : x.tanh(), false),
        ["equal to another"] = (x => x.shape[1] == x.shape[2] ? x.exp() : x.tanh(), false),
        ["far threshold"] = (x => x.shape[1] > 14 ? x.exp() : x.tanh(), false),
        ["loop over time"] = (Loop, false),
        ["array of its length"] = (x => x * new float[x.shape[1]].Length, false),
        ["positions"] = (x => x + arange(x.shape[1]).to(float32).unsqueeze(1), true),
        ["reversed positions"] = (x => x.index_select(1, arange(x.shape[1] - 1, -1, -1)), true),
        ["causal mask"] = (x => softmax(x.matmul(x.transpose(1, 2)).masked_fill(ones(x.shape[1], x.shape[1]).tril().eq(0), double.NegativeInfinity), -1), true),
        ["zeros like"] = (x => cat([zeros(2, 1, 4), x, ones_like(x)], 1), true),
        ["padding"] = (x => pad(x, [0, 0, 0, 20 - x.shape[1]]), true),
        ["padding to a multiple"] = (x => pad(x, [0, 0, 0, (4 - (x.shape[1] % 4)) % 4]).reshape(2, -1, 4, 4).mean([2]), false),
        ["strided"] = (x => x[.., TensorIndex.Slice(0, null, 2)], true),
        ["chunks"] = (x => cat([.. x.chunk(2, 1).Reverse()], 1), true),
        ["pooled"] = (x => avg_pool1d(x.transpose(1, 2), 3, 2, 1), DispatcherCapture.IsAvailable),
        ["interpolated"] = (x => interpolate(x.transpose(1, 2), size: [x.shape[1] * 2], mode: InterpolationMode.Linear), DispatcherCapture.IsAvailable),
        ["adaptive"] = (x => adaptive_avg_pool1d(x.transpose(1, 2), 3), true),
        ["tensor of a size"] = (x => x * tensor(x.shape[1]), true),
        ["filled with a size"] = (x => x + full(x.shape[1], 1, x.shape[1]), true),
        ["repeated"] = (x => x[.., ..1].expand(2, x.shape[1], 4).repeat(1, 2, 1), true),
        ["sorted"] = (x => x.sort(1).Values, true),
        ["dropout"] = (x => dropout(x, 0.5, training: true), true),
        ["caught"] = (Caught, false),
        ["longer than allowed"] = (x => x.shape[1] > 12 ? throw new ArgumentException($"{x.shape[1]} positions, at most 12") : x * 2, true),
    };

    public static TheoryData<string> Names => [.. _programs.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void EverySizeGivesWhatTheProgramGives(string name)
    {
        var (body, isOne) = _programs[name];
        foreach (var first in new[] { 4, 7, 10 })
        {
            using var compiled = new Written(body).Compile(new CompileOptions { Dynamic = [new(0, 1)], Backend = graph => new GraphInterpreter(graph) });
            foreach (var time in Enumerable.Range(1, 19).Prepend(first))
            {
                using var unit = NewDisposeScope();
                var x = randn(2, time, 4);
                manual_seed(3);
                var (expected, refusal) = Try(() => body(x));
                manual_seed(3);
                var (actual, failure) = Try(() => compiled.call(x));
                Assert.Equal(refusal?.GetType(), failure?.GetType());
                if (expected is not null)
                {
                    Compiling.Same(expected, actual!);
                }
            }

            var report = compiled.Explain();
            Assert.True(!isOne || report is { CapturedCalls: <= 2, Breaks.IsEmpty: true }, report.ToString());
            Assert.True(isOne || report.CapturedCalls > 2 || !report.Breaks.IsEmpty, report.ToString());
        }
    }

    private static (Tensor? Result, Exception? Refusal) Try(Func<Tensor> call)
    {
        try
        {
            return (call(), null);
        }
        catch (Exception refusal)
        {
            return (null, refusal);
        }
    }

    private static (long B, long T, long D) Of(Tensor x) => (x.shape[0], x.shape[1], x.shape[2]);

    private static Tensor Loop(Tensor x)
    {
        var sum = zeros(2, 4);
        for (var t = 0; t < x.shape[1]; t++)
        {
            sum = (sum * 0.5) + x[.., t];
        }

        return sum;
    }

    private static Tensor Caught(Tensor x)
    {
        try
        {
            return x.shape[1] == 6 ? throw new InvalidOperationException("six") : x.exp();
        }
        catch (InvalidOperationException)
        {
            return x.tanh();
        }
    }
}
