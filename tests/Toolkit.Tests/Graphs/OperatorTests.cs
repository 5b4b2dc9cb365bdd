using System.Text.RegularExpressions;
using Toolkit.Graphs;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs;

/// <summary>What an operator says that it makes is what libtorch makes.</summary>
public sealed partial class OperatorTests
{
    private static readonly ScalarType[] _types = [ScalarType.Float32, ScalarType.Float32, ScalarType.Float64, ScalarType.BFloat16, ScalarType.Float16, ScalarType.Int64, ScalarType.Int32, ScalarType.Byte, ScalarType.Bool];

    public static TheoryData<string> Names => [.. Operators.All.Where(op => op is { CanInfer: true, CanEvaluate: true }).Select(op => op.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void InferredTypesAreEvaluatedTypes(string name)
    {
        var op = Operators.Get(name);
        var random = new Random(name.Length);
        var (checkedSamples, reasons) = (0, new List<string>());
        foreach (var sample in Samples(op, random))
        {
            using var scope = NewDisposeScope();
            var builder = new GraphBuilder();
            var tensors = new List<Tensor>();
            var arguments = GraphBuilder.WithDefaults(op, [.. sample.Select(item => Argument(item, builder, tensors, random))]);
            TensorType[] inferred;
            try
            {
                inferred = op.Infer(arguments);
            }
            catch (GraphException exception)
            {
                reasons.Add(exception.Message);
                continue;
            }

            Tensor[] results;
            try
            {
                results = op.Evaluate(new(op, arguments), [.. tensors]);
            }
            catch (Exception exception) when (exception is not NullReferenceException)
            {
                // libtorch has no kernel for the type.
                reasons.Add($"[{string.Join(", ", arguments)}] of {string.Join(", ", builder.Inputs)}: {exception.Message.Split('\n')[0]}");
                continue;
            }

            checkedSamples++;
            Assert.Equal(inferred, results.Select(TensorType.Of));
        }

        // A written sample must run; of random ones, which may have types without a kernel, some.
        Assert.True(checkedSamples >= (Written(op) is { } written ? written.Length : 4), $"only {checkedSamples} samples ran: {string.Join("; ", reasons.Distinct().Take(8))}");
    }

    [Fact]
    public void WritingAtIndicesMayLeaveDimensionsOut()
    {
        using var scope = NewDisposeScope();
        var op = Operators.Get("aten::index_put");
        var (self, rows, columns) = (arange(60, ScalarType.Float32).reshape(3, 4, 5), tensor(new long[] { 2, 0 }), tensor(new long[] { 1, 1 }));
        Tensor?[][] cases = [[rows], [null, rows], [null, rows, columns], [rows, null, columns], [null, null, rows], [rows, null, null]];
        foreach (var indices in cases)
        {
            foreach (var accumulate in new[] { false, true })
            {
                var builder = new GraphBuilder();
                Value Of(Tensor tensor) => builder.Input(TensorType.Of(tensor), GraphInputKind.Argument, "x");
                var places = indices.Select(index => index is null ? TensorIndex.Colon : TensorIndex.Tensor(index)).ToArray();
                var values = arange(self.index(places).numel(), ScalarType.Float32).reshape(self.index(places).shape).add(100);

                // Each value's place is found by gathering the places, and the values are put there one by one.
                var at = arange(60).reshape(3, 4, 5).index(places).reshape(-1).data<long>().ToArray();
                var expected = self.reshape(-1).data<float>().ToArray();
                foreach (var (place, value) in at.Zip(values.reshape(-1).data<float>().ToArray()))
                {
                    expected[place] = accumulate ? expected[place] + value : value;
                }

                var arguments = GraphBuilder.WithDefaults(op, [Of(self), new ValuesArgument([.. indices.Select(index => index is null ? null : Of(index))]), Of(values), accumulate]);
                var result = op.Evaluate(new(op, arguments), [self, .. indices.OfType<Tensor>(), values])[0];
                Assert.Equal(expected, result.reshape(-1).data<float>().ToArray());
            }
        }
    }

    [Fact]
    public void EveryOperatorIsThereWhicheverClassIsTouchedFirst() => Assert.True(Operators.All.Count > 250, $"{Operators.All.Count}");

    [Fact]
    public void InPlaceOperatorsHaveAFunctionalTwin() =>
        Assert.All(Operators.All.Where(op => op.IsMutating && op.Name is not ("aten::copy_" or "aten::zero_" or "aten::fill_.Scalar" or "aten::fill_.Tensor" or "aten::_native_batch_norm_legit")), op => Assert.NotNull(Definition.FunctionalOf(op)));

    private static object?[][]? Written(Operator op)
    {
        if (_samples.TryGetValue(op.Name, out var written))
        {
            return written;
        }

        // In place: what is written must fit into the first.
        return op.Name is "aten::where" || Definition.FunctionalOf(op) is not { } functional || !_samples.TryGetValue(functional.Name, out written) ? null : written;
    }

    private static IEnumerable<object?[]> Samples(Operator op, Random random)
    {
        if (Written(op) is { } written)
        {
            return written;
        }

        return Enumerable.Range(0, 40).Select(_ =>
        {
            var full = Enumerable.Range(0, random.Next(0, 4)).Select(_ => random.Next(1, 4)).ToArray();
            var type = _types[random.Next(_types.Length)];
            var same = op.Name.Contains("backward", StringComparison.Ordinal) || random.Next(2) == 0;
            return op.Parameters.Where(p => p.Default is null || p.Type is "Tensor?" or "Scalar?" or "int[]?" or "bool" or "int[]").Select(p => p.Type switch
            {
                "Tensor" or "Tensor?" when p.IsWritten => (object?)$"{DataTypes.Name(type)}[{string.Join(", ", full)}]",
                "Tensor" or "Tensor?" => $"{DataTypes.Name(same ? type : _types[random.Next(_types.Length)])}[{string.Join(", ", Part(full, same && op.Name.Contains("backward", StringComparison.Ordinal), random))}]",
                "Scalar" or "Scalar?" => random.Next(3) switch { 0 => (object)(long)random.Next(1, 4), 1 => random.NextDouble(), _ => random.Next(2) == 0 && p.Name == "other" },
                "float" => random.NextDouble(),
                "bool" => random.Next(2) == 0,
                "int[]?" or "int[]" => full.Length == 0 ? null : new long[] { random.Next(full.Length) },
                var other => throw new InvalidOperationException($"{op.Name} needs a written sample: {other} {p.Name}"),
            } ?? (p.Type == "int[]" ? Array.Empty<long>() : null)).ToArray();
        });
    }

    private static IEnumerable<int> Part(int[] full, bool whole, Random random) =>
        whole ? full : full.Skip(random.Next(3) == 0 ? random.Next(full.Length + 1) : 0).Select(size => random.Next(4) == 0 ? 1 : size);

    private static Argument Argument(object? item, GraphBuilder builder, List<Tensor> tensors, Random random) => item switch
    {
        null => NoArgument.Instance,
        string text when text[0] == '\'' => text[1..],
        string text when text[0] == '@' => new DeviceArgument(text[1..]),
        string text => Input(text, builder, tensors, random),
        long number => number,
        double number => number,
        bool flag => flag,
        long[] numbers => numbers,
        ScalarType type => type,
        string?[] list => new ValuesArgument([.. list.Select(text => text is null ? null : Input(text, builder, tensors, random))]),
        _ => throw new InvalidOperationException($"{item}"),
    };

    private static Value Input(string text, GraphBuilder builder, List<Tensor> tensors, Random random)
    {
        var match = Tensors().Match(text);
        var sizes = match.Groups["sizes"].Value.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(long.Parse).ToArray();
        var name = match.Groups["type"].Value;
        var type = name == "p32" ? ScalarType.Float32 : DataTypes.Find(name)!.Value;
        using var generator = new Generator((ulong)random.Next());
        Tensor value;
        if (TypePromotion.IsFloating(type))
        {
            value = (name == "p32" ? torch.rand(sizes, generator: generator) : torch.randn(sizes, generator: generator)).to(type);
        }
        else
        {
            value = torch.randint(0, match.Groups["bound"].Success ? long.Parse(match.Groups["bound"].Value, null) : type == ScalarType.Bool ? 2 : 7, sizes, generator: generator).to(type);
        }

        tensors.Add(value);
        return builder.Input(TensorType.Of(value), GraphInputKind.Argument, $"input{tensors.Count}");
    }

    [GeneratedRegex(@"^(?<type>\w+)\[(?<sizes>[\d, ]*)\](<(?<bound>\d+))?$")]
    private static partial Regex Tensors();
}
