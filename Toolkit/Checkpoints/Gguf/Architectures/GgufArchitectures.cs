namespace Toolkit.Checkpoints;

/// <summary>The architectures whose tensors and options are known.</summary>
internal static class GgufArchitectures
{
    private static readonly GgufArchitecture[] All = [new LlamaArchitecture(), new Qwen2Architecture(), new Gpt2Architecture()];

    /// <summary>The architecture of a file.</summary>
    /// <exception cref="NotSupportedException">It is not known.</exception>
    public static GgufArchitecture Of(GgufFile file)
    {
        var name = file.Metadata.Text("general.architecture") ?? throw CheckpointException.In(file.Path, "the metadata lacks \"general.architecture\"");
        return Array.Find(All, architecture => architecture.Name == name)
            ?? throw new NotSupportedException($"{file.Path}: the architecture \"{CheckpointException.Shorten(name)}\" is not supported; known: {string.Join(", ", All.Select(known => known.Name))}");
    }

    /// <summary>The architecture that a config.json is written as.</summary>
    /// <exception cref="NotSupportedException">There is none.</exception>
    public static GgufArchitecture Of(HuggingFaceConfig config) =>
        Array.Find(All, architecture => architecture.ModelTypes.Contains(config.ModelType))
            ?? throw new NotSupportedException($"a model of type \"{config.ModelType}\" cannot be written as GGUF; known: {string.Join(", ", All.SelectMany(known => known.ModelTypes))}");
}
