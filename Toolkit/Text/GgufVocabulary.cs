namespace Toolkit.Text;

/// <summary>The vocabulary inside of a GGUF file, as its metadata <c>tokenizer.ggml.*</c> has it; see <see cref="Tokenizer.FromGguf"/>.</summary>
public sealed record GgufVocabulary
{
    /// <summary><c>model</c>: llama (SentencePiece BPE), gpt2 (byte-level BPE), bert (WordPiece), t5 (Unigram), gemma4 (BPE of characters).</summary>
    public required string Model { get; init; }

    /// <summary><c>pre</c>: how a text is split before byte-level BPE, such as llama-bpe or qwen2; null: as the first files did.</summary>
    public string? PreTokenizer { get; init; }

    /// <summary><c>tokens</c>: the spellings by id.</summary>
    public required IReadOnlyList<string> Tokens { get; init; }

    /// <summary><c>scores</c>, where the model has them.</summary>
    public IReadOnlyList<float>? Scores { get; init; }

    /// <summary><c>token_type</c>: 1 text, 2 unknown, 3 control, 4 defined by the user, 5 unused, 6 a byte.</summary>
    public IReadOnlyList<int>? TokenTypes { get; init; }

    /// <summary><c>merges</c>: pairs of tokens with a space between them.</summary>
    public IReadOnlyList<string>? Merges { get; init; }

    /// <summary><c>bos_token_id</c>.</summary>
    public int? BeginOfTextId { get; init; }

    /// <summary><c>eos_token_id</c>.</summary>
    public int? EndOfTextId { get; init; }

    /// <summary><c>unknown_token_id</c>.</summary>
    public int? UnknownId { get; init; }

    /// <summary><c>seperator_token_id</c> (so spelt in the format).</summary>
    public int? SeparatorId { get; init; }

    /// <summary><c>add_bos_token</c>; null: as is usual for the model.</summary>
    public bool? AddBeginOfText { get; init; }

    /// <summary><c>add_eos_token</c>; null: as is usual for the model.</summary>
    public bool? AddEndOfText { get; init; }

    /// <summary><c>add_space_prefix</c>; null: as is usual for the model.</summary>
    public bool? AddSpacePrefix { get; init; }

    /// <summary><c>remove_extra_whitespaces</c>.</summary>
    public bool RemoveExtraWhitespaces { get; init; }

    /// <summary><c>precompiled_charsmap</c>.</summary>
    public byte[]? PrecompiledCharacterMap { get; init; }

    /// <summary><c>normalizer.lowercase</c>, of WordPiece; null: lower case.</summary>
    public bool? Lowercase { get; init; }

    /// <summary><c>tokenizer.chat_template</c>.</summary>
    public string? ChatTemplate { get; init; }
}
