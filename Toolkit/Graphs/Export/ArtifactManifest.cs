using System.Text.Json;
using System.Text.Json.Serialization;
using Toolkit.Graphs.Capture;

namespace Toolkit.Graphs;

/// <summary>What an artifact's file says of itself.</summary>
internal sealed record ArtifactManifest
{
    private static readonly JsonSerializerOptions _json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        WriteIndented = true,
        MaxDepth = 64,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    public required int Format { get; init; }

    public required string Module { get; init; }

    public required ArtifactVersions Versions { get; init; }

    public required IReadOnlyList<GraphPart> Graphs { get; init; }

    public required IReadOnlyList<KernelPart> Kernels { get; init; }

    public required IReadOnlyList<ExternalPart> External { get; init; }

    /// <summary>All that is in the file, in order, without gaps but for zeros up to the next multiple of <see cref="ArtifactFile.Alignment"/>.</summary>
    public required IReadOnlyList<EntryPart> Entries { get; init; }

    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, _json);

    /// <exception cref="JsonException">It is something else.</exception>
    public static ArtifactManifest FromJson(ReadOnlySpan<byte> json) => JsonSerializer.Deserialize<ArtifactManifest>(json, _json) ?? throw new JsonException("the description is empty");

    /// <summary>A captured call.</summary>
    /// <param name="Text">Entry with the graph's text.</param>
    /// <param name="Arguments">The tensors that it is called with.</param>
    /// <param name="Inputs">What each input of the graph is.</param>
    /// <param name="Result">What is returned.</param>
    /// <param name="Holes">For each tensor of it: the output of the graph, or, counted from -1 downwards, the input.</param>
    /// <param name="Views">For each of them the text of a graph that takes the view of that which it is; null for none.</param>
    /// <param name="Guards">When the graph stood for a call, for people.</param>
    public sealed record GraphPart(
        string Text, IReadOnlyList<ArgumentPart> Arguments, IReadOnlyList<InputPart> Inputs, ResultPart Result, IReadOnlyList<int> Holes, IReadOnlyList<string?> Views, IReadOnlyList<string> Guards);

    /// <summary>A tensor of the call.</summary>
    public sealed record ArgumentPart(string Name, string DType, IReadOnlyList<long> Shape, string Device, int? SameAs = null);

    /// <summary>An input of a graph: an argument by its place, or a weight by its name.</summary>
    public sealed record InputPart(int? Argument = null, string? Weight = null);

    /// <summary>Compiled kernels: entries with their C# and their code, and the hash of all that the code depends on.</summary>
    public sealed record KernelPart(string Key, int Width, string Source, string Code);

    /// <summary>A safetensors file elsewhere, and for each weight of the artifact that is in it the name of the tensor.</summary>
    public sealed record ExternalPart(string File, string Sha256, IReadOnlyDictionary<string, string> Tensors);

    /// <summary>Some bytes of the file.</summary>
    public sealed record EntryPart(string Name, long Offset, long Length, string Sha256);
}
