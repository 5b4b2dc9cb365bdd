using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Toolkit.Tests.Graphs.Zoo;

/// <summary>As much of C# as fits into a forward.</summary>
internal sealed class KitchenSink : Module<Tensor, Dictionary<string, Tensor>>
{
    private readonly ModuleList<Linear> layers;
    private readonly Func<Tensor, Tensor> _activation;
    private readonly Settings _settings;
    private readonly Dictionary<string, double> _scales = new() { ["a"] = 0.5, ["b"] = 2 };

    public KitchenSink(int width, Settings? settings = null)
        : base(nameof(KitchenSink))
    {
        _settings = settings ?? new Settings(Kind.Gelu, Residual: true, Power: 2);
        layers = new ModuleList<Linear>([.. Enumerable.Range(0, 3).Select(i => Linear(width, width, hasBias: i % 2 == 0))]);
        _activation = _settings.Kind switch
        {
            Kind.Gelu => x => functional.gelu(x),
            Kind.Silu => x => functional.silu(x),
            _ => throw new ArgumentOutOfRangeException(nameof(settings)),
        };
        RegisterComponents();
    }

    public enum Kind
    {
        Gelu,
        Silu,
    }

    public override Dictionary<string, Tensor> forward(Tensor x)
    {
        var results = new Dictionary<string, Tensor>();
        var depth = 0;
        foreach (var (layer, i) in layers.Select((layer, i) => (layer, i)))
        {
            using var scope = NewDisposeScope();
            var y = _activation(layer.forward(x));
            y = _settings is { Residual: true, Power: > 1 } && i > 0 ? y + x : y;
            depth += x.shape switch { [_, > 4, ..] => 2, [_, _] => 1, _ => 0 };
            x = y.MoveToOuterDisposeScope();
        }

        results["layers"] = x;
        results["scaled"] = _scales.Where(pair => pair.Key.CompareTo("z", StringComparison.Ordinal) < 0).OrderBy(pair => pair.Key, StringComparer.Ordinal).Aggregate(x, (sum, pair) => sum * pair.Value);
        results["slices"] = Slices(x, depth);
        results["in place"] = InPlace(x);
        results["generic"] = Fold(new[] { 1, 2, 3 }, x, static (sum, n) => sum + n) / Largest(1.0, 2.5);
        results["tried"] = Tried(x, depth);
        results["iterated"] = torch.cat([.. Windows(x).Take(2)], -1);
        (results["low"], results["high"]) = x.Clipped(-0.5, 0.5);
        return results;
    }

    private static Tensor Slices(Tensor x, int shift)
    {
        var last = x[.., -1];
        var even = x[TensorIndex.Ellipsis, TensorIndex.Slice(0, null, 2)];
        var middle = x[.., 1..^1];
        var column = x[TensorIndex.Colon, TensorIndex.None, TensorIndex.Single(0)];
        var picked = x.index_select(-1, tensor(new long[] { 1, 0, 2 }));
        return last.sum(-1).unsqueeze(-1) + even.sum() + middle.mean() + column.flatten(1).sum(-1, keepdim: true) * shift + picked.amax();
    }

    private static Tensor InPlace(Tensor x)
    {
        var copy = x.clone();
        var view = copy[.., 0];
        view.mul_(2).add_(1);
        copy[.., 1] = copy[.., 0] - 3;
        copy.select(-1, 0).zero_();
        foreach (var row in copy.unbind(0))
        {
            row.clamp_(max: 1.5);
        }

        return copy.masked_fill_(copy.lt(-1), -1) + view.sum();
    }

    private static TSum Fold<TItem, TSum>(IEnumerable<TItem> items, TSum seed, Func<TSum, TItem, TSum> add)
    {
        var sum = seed;
        foreach (var item in items)
        {
            sum = add(sum, item);
        }

        return sum;
    }

    private static T Largest<T>(T a, T b)
        where T : IComparable<T> => a.CompareTo(b) > 0 ? a : b;

    private static Tensor Tried(Tensor x, int depth)
    {
        var tries = 0;
        try
        {
            tries++;
            if (depth > 0)
            {
                throw new InvalidOperationException($"depth {depth}");
            }

            return x;
        }
        catch (InvalidOperationException e) when (e.Message.Length > 3)
        {
            string name = nameof(depth);
            return x * name.Length * tries;
        }
        finally
        {
            tries = 0;
        }
    }

    private static IEnumerable<Tensor> Windows(Tensor x)
    {
        for (var i = 0; i + 2 <= x.shape[^1]; i++)
        {
            yield return x.narrow(-1, i, 2).sum(-1, keepdim: true);
        }
    }

    public sealed record Settings(Kind Kind, bool Residual, int Power);
}

/// <summary>Extension methods of the program.</summary>
internal static class TensorExtensions
{
    public static (Tensor Low, Tensor High) Clipped(this Tensor x, double low, double high) => (x.clamp(max: low), x.clamp(min: high));

    public static int CompareTo(this string a, string b, StringComparison comparison) => string.Compare(a, b, comparison);
}
