using System.Diagnostics;
using System.Globalization;
using Toolkit.Checkpoints;
using Toolkit.Models;
using static TorchSharp.torch;

namespace Toolkit.Benchmarks.Models;

/// <summary>How far every reference model is from what transformers makes of it: the largest difference of any logit (of an encoder, any number of a hidden state), by family.</summary>
internal static class ReferenceBenchmark
{
    public static int Run(string folder)
    {
        var rows = Directory.GetDirectories(folder).Order(StringComparer.Ordinal).Where(path => File.Exists(Path.Combine(path, "expected.safetensors"))).Select(Measure).ToArray();
        Console.WriteLine("| family | reference | largest logit | largest error | milliseconds of 96 positions |");
        Console.WriteLine("|---|---|---|---|---|");
        foreach (var row in rows.OrderBy(row => row.Family, StringComparer.Ordinal).ThenBy(row => row.Name, StringComparer.Ordinal))
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {row.Family} | {row.Name} | {row.Largest:0.0} | {row.Error:0.0e+0} | {row.Milliseconds:0.0} |"));
        }

        Console.WriteLine();
        Console.WriteLine("| family | references | largest error |");
        Console.WriteLine("|---|---|---|");
        foreach (var family in rows.GroupBy(row => row.Family).OrderBy(group => group.Key, StringComparer.Ordinal))
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {family.Key} | {family.Count()} | {family.Max(row => row.Error):0.0e+0} |"));
        }

        return rows.All(row => row.Error < 1e-4) ? 0 : 1;
    }

    private static Row Measure(string path)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        using var expected = Checkpoint.Open(Path.Combine(path, "expected.safetensors"));
        var isEncoder = BertConfig.IsIn(path);
        using nn.Module<Tensor, Tensor> model = isEncoder ? Bert.Load(path) : CausalModel.Load(path);
        var (ids, right) = (expected.Load("input_ids"), expected.Load(isEncoder ? "last_hidden_state" : "logits"));
        model.forward(ids);
        var watch = Stopwatch.StartNew();
        var error = model.forward(ids).sub(right).abs().max().item<float>();
        return new(isEncoder ? BertConfig.Family : ((CausalModel)model).ModelType, Path.GetFileName(path), right.abs().max().item<float>(), error, watch.Elapsed.TotalMilliseconds);
    }

    private sealed record Row(string Family, string Name, float Largest, float Error, double Milliseconds);
}
