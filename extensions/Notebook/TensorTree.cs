using System.Globalization;
using System.Text;

namespace Toolkit.Notebook;

/// <summary>A tensor as it is shown.</summary>
internal sealed record TensorLine(string Name, string Type, long[] Shape, long Bytes)
{
    public double Count => Shape.Aggregate(1.0, (count, extent) => count * extent);

    public string Description => $"{Type} [{string.Join(", ", Shape)}]";
}

/// <summary>Tensors as a tree by the parts of their names; numbered parts that are alike, such as a model's blocks, are shown once.</summary>
internal sealed class TensorTree
{
    private readonly SortedDictionary<string, TensorTree> _parts = new(new NaturalOrder());
    private readonly List<TensorLine> _tensors = [];

    private double Total => _tensors.Sum(tensor => (double)tensor.Bytes) + _parts.Values.Sum(part => part.Total);

    /// <summary>The tree as text, a line a part.</summary>
    public static string Render(IEnumerable<TensorLine> tensors)
    {
        var root = new TensorTree();
        foreach (var tensor in tensors)
        {
            var node = root;
            foreach (var part in tensor.Name.Split('.'))
            {
                node = node._parts.TryGetValue(part, out var found) ? found : node._parts[part] = new();
            }

            node._tensors.Add(tensor);
        }

        var lines = new List<(string Left, string Middle, string Right)>();
        root.Add(lines, "");
        var (left, middle) = (lines.Select(line => line.Left.Length).DefaultIfEmpty().Max(), lines.Select(line => line.Middle.Length).DefaultIfEmpty().Max());
        var text = new StringBuilder();
        foreach (var line in lines)
        {
            text.Append(line.Left.PadRight(left + 2)).Append(line.Middle.PadRight(middle + 2)).Append(line.Right.PadLeft(10)).Append('\n');
        }

        return text.ToString();
    }

    /// <summary>Decimal units: 1.5 MB.</summary>
    public static string Bytes(double bytes) => $"{Scaled(bytes)}B";

    /// <summary>1.5 M.</summary>
    public static string Count(double count) => Scaled(count).TrimEnd();

    private static string Scaled(double value)
    {
        string[] prefixes = ["", "k", "M", "G", "T", "P", "E"];
        var power = 0;
        for (; Math.Abs(value) >= 1000 && power < prefixes.Length - 1; power++)
        {
            value /= 1000;
        }

        return $"{value.ToString(power == 0 ? "F0" : "F1", CultureInfo.InvariantCulture)} {prefixes[power]}";
    }

    private void Add(List<(string Left, string Middle, string Right)> lines, string indent)
    {
        var groups = Groups();
        for (var i = 0; i < groups.Count; i++)
        {
            var (name, node, count) = groups[i];
            var isLast = i == groups.Count - 1;
            // A chain of single parts is one line.
            while (node._tensors.Count == 0 && node._parts.Count == 1)
            {
                var only = node._parts.First();
                (name, node) = ($"{name}.{only.Key}", only.Value);
            }

            var times = count > 1 ? $"{count} alike, each" : "";
            var description = node._tensors.Count > 0 ? string.Join("; ", node._tensors.Select(tensor => tensor.Description)) : "";
            lines.Add(($"{indent}{(isLast ? "└─ " : "├─ ")}{name}", string.Join(": ", new[] { times, description }.Where(part => part.Length > 0)), Bytes(node.Total)));
            node.Add(lines, indent + (isLast ? "   " : "│  "));
        }
    }

    /// <summary>The parts, runs of numbered ones that are alike as one.</summary>
    private List<(string Name, TensorTree Node, int Count)> Groups()
    {
        var groups = new List<(string Name, TensorTree Node, int Count)>();
        var (first, previous) = ("", "");
        foreach (var (name, node) in _parts)
        {
            if (groups.Count > 0 && int.TryParse(name, out var number) && int.TryParse(previous, out var before) && number == before + 1 && groups[^1].Node.IsLike(node))
            {
                groups[^1] = ($"{first}-{name}", groups[^1].Node, groups[^1].Count + 1);
            }
            else
            {
                first = name;
                groups.Add((name, node, 1));
            }

            previous = name;
        }

        return groups;
    }

    private bool IsLike(TensorTree other) =>
        _tensors.Select(tensor => tensor.Description).SequenceEqual(other._tensors.Select(tensor => tensor.Description))
        && _parts.Keys.SequenceEqual(other._parts.Keys)
        && _parts.Values.Zip(other._parts.Values).All(pair => pair.First.IsLike(pair.Second));

    /// <summary>Numbers by their value: layer 2 before layer 10.</summary>
    private sealed class NaturalOrder : IComparer<string>
    {
        public int Compare(string? x, string? y) => long.TryParse(x, out var a) && long.TryParse(y, out var b) && a != b ? a.CompareTo(b) : string.CompareOrdinal(x, y);
    }
}
