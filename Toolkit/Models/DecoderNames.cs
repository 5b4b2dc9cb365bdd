using Toolkit.Layers;

namespace Toolkit.Models;

/// <summary>What a family's checkpoints call the parts of a model. The defaults are Llama's.</summary>
internal sealed record DecoderNames
{
    public string Body { get; init; } = "model";

    /// <summary>A module inside the body that holds its parts, or null.</summary>
    public string? Inner { get; init; }

    public string Embedding { get; init; } = "embed_tokens";

    public string EmbeddingNorm { get; init; } = "word_embeddings_layernorm";

    public string Positions { get; init; } = "embed_positions";

    public string ProjectIn { get; init; } = "project_in";

    public string ProjectOut { get; init; } = "project_out";

    public string Blocks { get; init; } = "layers";

    public string FinalNorm { get; init; } = "norm";

    public string Head { get; init; } = "lm_head";

    public BlockNames Block { get; init; } = new();

    public BlockNames Expert { get; init; } = new();
}
