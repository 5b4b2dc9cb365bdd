namespace Toolkit.Checkpoints;

/// <summary>Qwen 2 and 2.5: biases on queries, keys and values; rows as at Hugging Face.</summary>
internal sealed class Qwen2Architecture() : LlamaLikeArchitecture("qwen2")
{
    public override IReadOnlyList<string> ModelTypes { get; } = ["qwen2"];

    public override IEnumerable<KeyValuePair<string, object>> WriteConfig(HuggingFaceConfig config)
    {
        config.Require("use_sliding_window", !config.Flag("use_sliding_window", false));
        return base.WriteConfig(config);
    }

    public override GgufArrangement Arrangement(string huggingFace, HuggingFaceConfig config) => GgufArrangement.Same;
}
