namespace Toolkit.Graphs;

/// <summary>What a saved graph takes and returns.</summary>
/// <param name="Arguments">Its tensors.</param>
/// <param name="Returns">What it returns, for people.</param>
public sealed record ArtifactSignature(IReadOnlyList<(string Name, TensorType Type)> Arguments, string Returns)
{
    /// <summary>As in <c>(x: f32[2, 16]) -> tensor</c>.</summary>
    public override string ToString() => $"({string.Join(", ", Arguments.Select(argument => $"{argument.Name}: {argument.Type}"))}) -> {Returns}";
}
