namespace Toolkit.Layers;

/// <summary>What a family's checkpoints call the parts of a block. The defaults are Llama's; a family that lacks a part ignores its name.</summary>
public sealed record BlockNames
{
    /// <summary>The norm before (or, in post-norm models, after) the attention.</summary>
    public string AttentionNorm { get; init; } = "input_layernorm";

    /// <summary>The attention.</summary>
    public string Attention { get; init; } = "self_attn";

    /// <summary>A further norm on what the attention writes.</summary>
    public string AttentionOutputNorm { get; init; } = "post_attention_layernorm";

    /// <summary>The norm of the feed-forward.</summary>
    public string FeedForwardNorm { get; init; } = "post_attention_layernorm";

    /// <summary>The feed-forward; null where its linears are the block's own.</summary>
    public string? FeedForward { get; init; } = "mlp";

    /// <summary>A further norm on what the feed-forward writes.</summary>
    public string FeedForwardOutputNorm { get; init; } = "post_feedforward_layernorm";

    /// <summary>The linear of the queries.</summary>
    public string Query { get; init; } = "q_proj";

    /// <summary>The linear of the keys.</summary>
    public string Key { get; init; } = "k_proj";

    /// <summary>The linear of the values.</summary>
    public string Value { get; init; } = "v_proj";

    /// <summary>The linear of queries, keys and values in one.</summary>
    public string QueryKeyValue { get; init; } = "query_key_value";

    /// <summary>The linear that the attention writes with.</summary>
    public string Output { get; init; } = "o_proj";

    /// <summary>The norm of the queries.</summary>
    public string QueryNorm { get; init; } = "q_norm";

    /// <summary>The norm of the keys.</summary>
    public string KeyNorm { get; init; } = "k_norm";

    /// <summary>The linear of the gate; of a mixture of experts, the router.</summary>
    public string Gate { get; init; } = "gate_proj";

    /// <summary>The linear of what is gated; without a gate, the first one.</summary>
    public string Up { get; init; } = "up_proj";

    /// <summary>The linear of both in one.</summary>
    public string GateUp { get; init; } = "gate_up_proj";

    /// <summary>The linear that the feed-forward writes with.</summary>
    public string Down { get; init; } = "down_proj";
}
