using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Spectre.Console;
using TorchSharp;
using SpectreText = Spectre.Console.Text;

namespace Toolkit.Display;

/// <summary>What a model is made of: parameters, bytes, types and the tree of its modules. A parameter that two modules share counts once.</summary>
public sealed class ModelCard : IDisplayable
{
    private readonly IReadOnlyDictionary<string, string> _facts;
    private readonly Node _root;

    /// <summary>Reads the tree of a module; no tensor is kept.</summary>
    /// <param name="module">The model.</param>
    /// <param name="facts">Further facts to list, such as licence and context length.</param>
    /// <param name="name">The name; that of the module where none is given.</param>
    public ModelCard(torch.nn.Module module, IReadOnlyDictionary<string, string>? facts = null, string? name = null)
    {
        Name = name ?? module.GetName();
        _facts = facts ?? new Dictionary<string, string>();
        using var scope = torch.NewDisposeScope();
        _root = Read(Name, module, []);
    }

    /// <summary>Name of the model.</summary>
    public string Name { get; }

    /// <summary>Parameters, shared ones once.</summary>
    public long ParameterCount => _root.Count;

    /// <summary>Bytes of the parameters, shared ones once.</summary>
    public long ParameterBytes => _root.Bytes;

    /// <inheritdoc/>
    public MimeBundle ToMimeBundle() => MimeBundle.Of(Html(), Plain());

    private static Node Read(string name, torch.nn.Module module, HashSet<nint> seen)
    {
        List<Leaf> leaves = [];
        foreach (var (parameterName, parameter) in module.named_parameters(recurse: false))
        {
            leaves.Add(new Leaf(parameterName, TensorFormat.Shape(parameter.shape), TensorFormat.Type(parameter.dtype), parameter.numel(), parameter.element_size(), !seen.Add(Address(parameter))));
        }

        var children = module.named_children().Select(child => Read(child.name, child.module, seen)).ToArray();
        return new Node(name, module.GetType().Name, leaves, children);
    }

    /// <summary>Two parameters are one where they begin at the same address: a tied head is often another wrapper of the same weights.</summary>
    private static nint Address(torch.Tensor parameter)
    {
        if (parameter.device_type != DeviceType.CPU || parameter.numel() == 0 || !parameter.is_contiguous())
        {
            return parameter.Handle;
        }

        unsafe
        {
            fixed (byte* first = &MemoryMarshal.GetReference(parameter.bytes))
            {
                return (nint)first;
            }
        }
    }

    private IEnumerable<(string Name, string Value)> Facts() =>
    [
        ("parameters", $"{Units.Parameters(ParameterCount)} ({Units.Count(ParameterCount)})"),
        ("bytes", Units.Bytes(ParameterBytes)),
        ("type", string.Join(", ", _root.Types().Distinct())),
        .. _facts.Select(fact => (fact.Key, fact.Value)),
    ];

    private string Html()
    {
        var rows = string.Concat(Facts().Select(fact => $"<tr><td>{Fragment.Encode(fact.Name)}</td><td>{Fragment.Encode(fact.Value)}</td></tr>"));
        var tree = new StringBuilder("<div class=\"tk-tree\">");
        AppendHtml(tree, _root, open: true);
        return Fragment.Box($"<table class=\"tk-table\"><tbody>{rows}</tbody></table>{tree}</div>", Name);
    }

    private static void AppendHtml(StringBuilder html, Node node, bool open)
    {
        html.Append(open ? "<details open=\"open\">" : "<details>");
        html.Append(CultureInfo.InvariantCulture, $"<summary><code>{Fragment.Encode(node.Name)}</code> <span class=\"tk-note\">{Fragment.Encode(node.Facts)}</span></summary>");
        foreach (var leaf in node.Leaves)
        {
            html.Append(CultureInfo.InvariantCulture, $"<div class=\"tk-leaf\"><code>{Fragment.Encode(leaf.Name)}</code> <span class=\"tk-note\">{Fragment.Encode(leaf.Facts)}</span></div>");
        }

        foreach (var child in node.Children)
        {
            AppendHtml(html, child, open: false);
        }

        html.Append("</details>");
    }

    private string Plain()
    {
        var facts = new Grid().AddColumns(2);
        foreach (var (name, value) in Facts())
        {
            facts.AddRow(new SpectreText(name), new SpectreText(value));
        }

        var tree = new Tree(new SpectreText($"{_root.Name}  {_root.Facts}"));
        foreach (var child in TreeNodes(_root))
        {
            tree.AddNode(child);
        }

        return $"{PlainText.Render(facts)}\n{PlainText.Render(tree)}";
    }

    private static IEnumerable<TreeNode> TreeNodes(Node node)
    {
        foreach (var leaf in node.Leaves)
        {
            yield return new TreeNode(new SpectreText($"{leaf.Name}  {leaf.Facts}"));
        }

        foreach (var child in node.Children)
        {
            var branch = new TreeNode(new SpectreText($"{child.Name}  {child.Facts}"));
            branch.AddNodes(TreeNodes(child));
            yield return branch;
        }
    }

    private sealed record Leaf(string Name, string Shape, string Type, long Count, long ElementSize, bool Shared)
    {
        public string Facts => $"{Shape} {Type}, {(Shared ? "shared, counted before" : Units.Count(Count))}";
    }

    private sealed record Node(string Name, string Type, IReadOnlyList<Leaf> Leaves, IReadOnlyList<Node> Children)
    {
        public long Count { get; } = Leaves.Where(leaf => !leaf.Shared).Sum(leaf => leaf.Count) + Children.Sum(child => child.Count);

        public long Bytes { get; } = Leaves.Where(leaf => !leaf.Shared).Sum(leaf => leaf.Count * leaf.ElementSize) + Children.Sum(child => child.Bytes);

        public string Facts => $"{Type}, {Units.Count(Count)} parameters, {Units.Bytes(Bytes)}";

        public IEnumerable<string> Types() => Leaves.Select(leaf => leaf.Type).Concat(Children.SelectMany(child => child.Types()));
    }
}
