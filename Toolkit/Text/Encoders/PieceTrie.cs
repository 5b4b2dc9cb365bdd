namespace Toolkit.Text;

/// <summary>Spellings by their characters: finds all that begin at a place in one walk.</summary>
internal sealed class PieceTrie
{
    private readonly Dictionary<long, int> _children = [];
    private readonly List<int> _ids = [-1];

    /// <summary>The node of the empty spelling.</summary>
    public int Root => 0;

    /// <summary>Enters a spelling; the last of equals stays.</summary>
    public void Add(ReadOnlySpan<char> spelling, int id)
    {
        var node = Root;
        foreach (var character in spelling)
        {
            if (!_children.TryGetValue(Key(node, character), out var next))
            {
                next = _ids.Count;
                _ids.Add(-1);
                _children[Key(node, character)] = next;
            }

            node = next;
        }

        _ids[node] = id;
    }

    /// <summary>Goes on by one character.</summary>
    public bool Next(int node, char character, out int next) => _children.TryGetValue(Key(node, character), out next);

    /// <summary>What ends at a node; -1: nothing does.</summary>
    public int Id(int node) => _ids[node];

    /// <summary>The longest spelling at the beginning of a text; -1 if there is none.</summary>
    public int Longest(ReadOnlySpan<char> text, out int length)
    {
        var (node, found) = (Root, -1);
        length = 0;
        for (var i = 0; i < text.Length && Next(node, text[i], out node); i++)
        {
            if (Id(node) >= 0)
            {
                (found, length) = (Id(node), i + 1);
            }
        }

        return found;
    }

    private static long Key(int node, char character) => ((long)node << 16) | character;
}
