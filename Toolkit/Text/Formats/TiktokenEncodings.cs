namespace Toolkit.Text;

/// <summary>How the encodings that are published as tiktoken ranks split a text, and their special tokens, by the name of the file.</summary>
internal static class TiktokenEncodings
{
    public static IReadOnlyDictionary<string, (string Pattern, IReadOnlyDictionary<string, int> SpecialTokens)> Known { get; } =
        new Dictionary<string, (string, IReadOnlyDictionary<string, int>)>(StringComparer.OrdinalIgnoreCase)
        {
            ["gpt2"] = (SplitExpressions.Gpt2, Special(("<|endoftext|>", 50256))),
            ["r50k_base"] = (SplitExpressions.Gpt2, Special(("<|endoftext|>", 50256))),
            ["p50k_base"] = (SplitExpressions.Gpt2, Special(("<|endoftext|>", 50256))),
            ["cl100k_base"] = (SplitExpressions.Cl100k, Special(
                ("<|endoftext|>", 100257), ("<|fim_prefix|>", 100258), ("<|fim_middle|>", 100259), ("<|fim_suffix|>", 100260), ("<|endofprompt|>", 100276))),
            ["o200k_base"] = (SplitExpressions.O200k, Special(("<|endoftext|>", 199999), ("<|endofprompt|>", 200018))),
            ["llama3"] = (SplitExpressions.Llama3, Llama3()),
            ["qwen"] = (SplitExpressions.Qwen2, Special([("<|endoftext|>", 151643), ("<|im_start|>", 151644), ("<|im_end|>", 151645), .. Enumerable.Range(0, 205).Select(i => ($"<|extra_{i}|>", 151646 + i))])),
        };

    private static Dictionary<string, int> Special(params IEnumerable<(string Text, int Id)> tokens) => tokens.ToDictionary(token => token.Text, token => token.Id);

    /// <summary>Llama 3 has 256 special tokens, most of them reserved.</summary>
    private static Dictionary<string, int> Llama3()
    {
        string[] named =
        [
            "<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>", "<|finetune_right_pad_id|>",
            "<|reserved_special_token_2|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>", "<|python_tag|>",
        ];
        return Special(named.Concat(Enumerable.Range(3, 256 - named.Length).Select(i => $"<|reserved_special_token_{i}|>")).Select((text, index) => (text, 128000 + index)));
    }
}
