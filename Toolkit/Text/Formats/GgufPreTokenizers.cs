namespace Toolkit.Text;

/// <summary>What <c>tokenizer.ggml.pre</c> of a GGUF file stands for: how a text is split before byte-level BPE.</summary>
/// <param name="Expressions">Each splits what the one before left.</param>
/// <param name="IgnoreMerges">Whether a piece that is a token as a whole is not merged.</param>
/// <param name="AddsBegin">Whether a beginning is put in front where the file does not say.</param>
/// <param name="Composes">Whether the model's own tokenizer composes characters first (NFC).</param>
internal sealed record GgufPreTokenizers(string[] Expressions, bool IgnoreMerges = false, bool AddsBegin = false, bool Composes = false)
{
    private const string DeepSeekWords =
        "\\s?[A-Za-z\u00B5\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u01BA\u01BC-\u01BF\u01C4-\u0293\u0295-\u02AF\u0370-\u0373\u0376\u0377\u037B-\u037D\u037F\u0386"
        + "\u0388-\u038A\u038C\u038E-\u03A1\u03A3-\u03F5\u03F7-\u0481\u048A-\u052F\u0531-\u0556\u10A0-\u10C5\u13A0-\u13F5\u13F8-\u13FD\u1C90-\u1CBA\u1CBD-\u1CBF"
        + "\u1D00-\u1D2B\u1D6B-\u1D77\u1D79-\u1D9A\u1E00-\u1F15\u1F18-\u1F1D\u1F20-\u1F45\u1F48-\u1F4D\u1F50-\u1F57\u1F59\u1F5B\u1F5D\u1F5F-\u1F7D\u1F80-\u1FB4"
        + "\u1FB6-\u1FBC\u1FBE\u1FC2-\u1FC4\u1FC6-\u1FCC\u1FD0-\u1FD3\u1FD6-\u1FDB\u1FE0-\u1FEC\u1FF2-\u1FF4\u1FF6-\u1FFC\u2102\u2107\u210A-\u2113\u2115\u2119-"
        + "\u211D\u2124\u2126\u2128\u212A-\u212D\u212F-\u2134\u2139\u213C-\u213F\u2145-\u2149\u214E\u2183\u2184\u2C00-\u2C7B\u2C7E-\u2CE4\u2CEB-\u2CEE\u2CF2"
        + "\u2CF3\uA640-\uA66D\uA680-\uA69B\uA722-\uA76F\uA771-\uA787\uA78B-\uA78E\uAB70-\uABBF\uFB00-\uFB06\uFB13-\uFB17\uFF21-\uFF3A\uFF41-\uFF5A\U00010400-"
        + "\U0001044F\U000104B0-\U000104D3\U000104D8-\U000104FB\U00010C80-\U00010CB2\U00010CC0-\U00010CF2\U000118A0-\U000118DF\U0001E900-\U0001E943]+";

    private const string DeepSeekPunctuation =
        "\\s?[!-/:-~\uFF01-\uFF0F\uFF1A-\uFF5E\u2018-\u201F\u3000-\u3002]+";
    private const string DeepSeekIdeographs =
        "[\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF]+";

    private static readonly GgufPreTokenizers _gpt2 = new([SplitExpressions.Gpt2]);
    private static readonly GgufPreTokenizers _digitsThenGpt2 = new([SplitExpressions.Digits, SplitExpressions.Gpt2]);
    private static readonly GgufPreTokenizers _llama3 = new([SplitExpressions.Llama3], IgnoreMerges: true, AddsBegin: true);
    private static readonly GgufPreTokenizers _llama3Merged = new([SplitExpressions.Llama3]);
    private static readonly GgufPreTokenizers _qwen2 = new([SplitExpressions.Qwen2], Composes: true);
    private static readonly GgufPreTokenizers _singleDigits = new([SplitExpressions.Qwen2]);
    private static readonly GgufPreTokenizers _o200k = new([SplitExpressions.O200k]);
    private static readonly GgufPreTokenizers _bloom = new([SplitExpressions.Bloom]);
    private static readonly GgufPreTokenizers _deepSeek3 = new([SplitExpressions.DigitTriples, SplitExpressions.Kana, SplitExpressions.DeepSeek3]);

    private static readonly Dictionary<string, GgufPreTokenizers> _known = new Dictionary<string, GgufPreTokenizers>(StringComparer.Ordinal)
    {
        ["default"] = new([@"[\p{P}\$\+<=>\^~\|]+", SplitExpressions.Gpt2, SplitExpressions.DigitRuns, "[0-9][0-9][0-9]"]),
        ["falcon"] = new([@"[\p{P}\$\+<=>\^~\|`]+", SplitExpressions.Gpt2, "[0-9][0-9][0-9]"]),
        ["deepseek-llm"] = new(["[\r\n]", DeepSeekWords, DeepSeekPunctuation, @"\s+$", DeepSeekIdeographs, SplitExpressions.DigitRuns]),
        ["deepseek-coder"] = new(["[\r\n]", @"\s?\p{L}+", @"\s?\p{P}+", DeepSeekIdeographs, SplitExpressions.Digits]),
        ["tekken"] = new([SplitExpressions.Tekken], IgnoreMerges: true, AddsBegin: true),
        ["viking"] = new([SplitExpressions.Bloom, SplitExpressions.Digits]),
        ["qwen35"] = new([SplitExpressions.Qwen35]),
        ["superbpe"] = new([SplitExpressions.DigitRuns, @"(?=(\d{3})+(?!\d))"]),
        ["chameleon"] = new([SplitExpressions.Digits, @"[\p{P}!-/:-@\[-`{-~]", SplitExpressions.Gpt2], AddsBegin: true),
        ["minicpm5"] = new([SplitExpressions.DigitTriples, SplitExpressions.Llama3.Replace("{1,3}", "+", StringComparison.Ordinal)], IgnoreMerges: true),
    }.Concat([
        .. Each(_gpt2, "gpt-2", "phi-2", "jina-es", "jina-de", "gigachat", "jina-v2-es", "jina-v2-de", "a.x-4.0", "mellum", "modern-bert", "mpt", "olmo", "jais", "trillion", "granite-docling", "exaone4", "jina-v1-en", "jina-v2-code", "roberta-bpe"),
        .. Each(_digitsThenGpt2, "starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b", "mellum2"),
        .. Each(_llama3, "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano"),
        .. Each(_llama3Merged, "dbrx", "smaug-bpe", "glm4", "chatglm-bpe"),
        .. Each(_qwen2, "qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2", "megrez"),
        .. Each(_singleDigits, "stablelm2", "hunyuan", "solar-open", "grok-2", "laguna"),
        .. Each(_o200k, "gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2", "tiny_aya", "cohere2moe"),
        .. Each(_bloom, "bloom", "poro-chat", "gpt3-finnish"),
        .. Each(_deepSeek3, "deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"),
    ]).ToDictionary(StringComparer.Ordinal);

    /// <exception cref="NotSupportedException">The name is unknown.</exception>
    public static GgufPreTokenizers Of(string name) => _known.TryGetValue(name, out var split) ? split
        : throw new NotSupportedException($"tokenizer.ggml.pre is '{name}', of which it is not known how it splits a text; known are {string.Join(", ", _known.Keys.Order(StringComparer.Ordinal))}");

    private static IEnumerable<KeyValuePair<string, GgufPreTokenizers>> Each(GgufPreTokenizers split, params string[] names) => names.Select(name => KeyValuePair.Create(name, split));
}
