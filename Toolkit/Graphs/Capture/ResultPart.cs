namespace Toolkit.Graphs.Capture;

/// <summary>What a saved call returns: tensors, in tuples, arrays, lists and dictionaries, and constants.</summary>
/// <param name="Kind">tensor, constant, tuple, array, list or dictionary.</param>
/// <param name="Type">Its type as <see cref="TypeNames"/> writes it; of an array or list that of the elements. For a tensor none.</param>
/// <param name="Hole">Number of a tensor.</param>
/// <param name="Value">A constant; null for null.</param>
/// <param name="Keys">Keys of a dictionary.</param>
/// <param name="Parts">What it holds.</param>
internal sealed record ResultPart(
    string Kind, string? Type = null, int Hole = 0, string? Value = null, IReadOnlyList<string>? Keys = null, IReadOnlyList<ResultPart>? Parts = null)
{
    /// <summary>Numbers of all its tensors.</summary>
    public IEnumerable<int> Holes => Kind == "tensor" ? [Hole] : Parts?.SelectMany(part => part.Holes) ?? [];

    /// <summary>As in <c>(tensor, list[tensor])</c>.</summary>
    public override string ToString() => Kind switch
    {
        "tensor" => "tensor",
        "constant" => Value ?? "null",
        "tuple" => $"({string.Join(", ", Parts!)})",
        "dictionary" => $"{{{string.Join(", ", Keys!.Zip(Parts!).Select(pair => $"{pair.First}: {pair.Second}"))}}}",
        _ => $"{Kind}[{string.Join(", ", Parts!)}]",
    };
}
