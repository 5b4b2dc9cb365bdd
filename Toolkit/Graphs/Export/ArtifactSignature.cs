namespace Toolkit.Graphs;

/// <summary>What a saved graph takes and returns.</summary>
/// <param name="Arguments">Its tensors.</param>
/// <param name="Returns">What it returns, for people.</param>
public sealed record ArtifactSignature(IReadOnlyList<(string Name, TensorType Type)> Arguments, string Returns)
{
    /// <summary>Arguments that were one and the same tensor when the graph was captured, and have to be.</summary>
    public IReadOnlyList<(string Name, string Other)> Same { get; init; } = [];

    /// <summary>As in <c>(x: f32[2, 16]) -> tensor</c>.</summary>
    public override string ToString() =>
        $"({string.Join(", ", Arguments.Select(argument => $"{argument.Name}: {argument.Type}"))}) -> {Returns}{string.Concat(Same.Select(pair => $", where {pair.Name} is the tensor {pair.Other}"))}";
}
