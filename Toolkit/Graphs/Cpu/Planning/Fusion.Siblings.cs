namespace Toolkit.Graphs.Cpu;

/// <summary>Neighbours that read one tensor, though nothing of one another: the two gradients of a product, the sums for a norm's weight and bias.</summary>
internal sealed partial class Fusion
{
    /// <summary>Nodes between two readers up to which they are neighbours: beyond, the second's results would take up memory long before they are read.</summary>
    private const int Nearby = 16;

    /// <summary>One loop reads once what two would read twice.</summary>
    private void MergeSiblings()
    {
        var readers = new Dictionary<Value, int>(ReferenceEqualityComparer.Instance);
        for (var i = 0; i < _graph.Nodes.Length; i++)
        {
            var node = _graph.Nodes[i];
            if (!_groups.TryGetValue(node, out var group) || group.HasProduct || Lowerings.IsIdentityView(node))
            {
                continue;
            }

            foreach (var input in node.Inputs.Where(input => group.Domain.IsFull(input.Type.Shape) && input.Type.Shape.Elements > 1))
            {
                if (readers.TryGetValue(input, out var last) && i - last <= Nearby && _groups.GetValueOrDefault(_graph.Nodes[last]) is { } other
                    && other != _groups[node] && other.Domain == _groups[node].Domain)
                {
                    Merge(other, _groups[node]);
                }

                readers[input] = i;
            }
        }
    }
}
