namespace Toolkit.Models;

/// <summary>The families by what <c>model_type</c> says: a new one is a file of its own and a line here.</summary>
internal static class DecoderFamilies
{
    private static readonly Dictionary<string, DecoderFamily> ByName = new DecoderFamily[]
    {
        new LlamaFamily(),
        new MistralFamily(),
        new MixtralFamily(),
        new Qwen2Family(),
        new Qwen3Family(),
        new SmolLm3Family(),
        new Phi3Family(),
        new Gemma2Family(),
        new Olmo2Family(),
        new Gpt2Family(),
        new GptNeoXFamily(),
        new OptFamily(),
        new BloomFamily(),
        new FalconFamily(),
    }.ToDictionary(family => family.Name, StringComparer.Ordinal);

    public static IReadOnlyList<string> Names { get; } = [.. ByName.Keys.Order(StringComparer.Ordinal)];

    /// <exception cref="NotSupportedException">There is no such family.</exception>
    public static DecoderFamily Of(string? name) =>
        name is not null && ByName.TryGetValue(name, out var family)
            ? family
            : throw new NotSupportedException($"{(name is null ? "there is no model_type" : $"model_type '{name}' is not supported")}; known: {string.Join(", ", Names)}");
}
