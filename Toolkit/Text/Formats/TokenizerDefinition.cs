namespace Toolkit.Text;

/// <summary>Everything that makes a tokenizer, whatever file it came from.</summary>
internal sealed record TokenizerDefinition
{
    /// <summary>The vocabulary and how it spells.</summary>
    public required VocabularyModel Model { get; init; }

    /// <summary>Tokens found in the text itself, by id.</summary>
    public IReadOnlyList<AddedToken> Added { get; init; } = [];

    /// <summary>What changes a text first; null: nothing.</summary>
    public Normalizer? Normalizer { get; init; }

    /// <summary>What cuts a text into parts, step by step.</summary>
    public IReadOnlyList<PreTokenizer> PreTokenizers { get; init; } = [];

    /// <summary>What is put around a text.</summary>
    public PostProcessor PostProcessor { get; init; } = PostProcessor.None;

    /// <summary>What makes text of tokens; null: they are joined with spaces.</summary>
    public TokenDecoder? Decoder { get; init; }

    /// <summary>The token that begins a text, as the file names it.</summary>
    public int? BeginOfText { get; init; }

    /// <summary>The token that ends a text, as the file names it.</summary>
    public int? EndOfText { get; init; }

    /// <summary>The chat template that came with it.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>The name of the file that <see cref="Content"/> writes.</summary>
    public string FileName { get; init; } = TokenizerJson.FileName;

    /// <summary>The file, as it was read or as it is written.</summary>
    public required Func<byte[]> Content { get; init; }
}
