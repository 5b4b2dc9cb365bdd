using TorchSharp;

namespace Toolkit.Models;

/// <summary>The kinds of causal models that are no <see cref="Decoder"/>, by what <c>model_type</c> says: a new one is a file of its own and a line here.</summary>
internal static class ModelFamilies
{
    private static readonly Dictionary<string, Func<string, torch.ScalarType?, bool, CausalModel>> Open = new(StringComparer.Ordinal)
    {
        [MambaConfig.Family] = Mamba.Load,
        [Mamba2Config.Family] = Mamba2.Load,
        [RwkvConfig.Family] = Rwkv.Load,
    };

    /// <summary>Every <c>model_type</c> that can be read as a causal model.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. DecoderFamilies.Names.Concat(Open.Keys).Order(StringComparer.Ordinal)];

    /// <summary>What opens the model of a folder, or null where a decoder does.</summary>
    /// <exception cref="NotSupportedException">There is no such family.</exception>
    /// <exception cref="InvalidDataException"><c>config.json</c> is no configuration.</exception>
    public static Func<string, torch.ScalarType?, bool, CausalModel>? OfFolder(string folder) => ConfigFile.Read(folder, file =>
    {
        var name = file.OptionalText("model_type");
        return name is not null && Open.TryGetValue(name, out var open) ? open
            : DecoderFamilies.Names.Contains(name) ? null
            : throw new NotSupportedException($"{(name is null ? "there is no model_type" : $"model_type '{name}' is not supported")}; known: {string.Join(", ", Names)}");
    });
}
