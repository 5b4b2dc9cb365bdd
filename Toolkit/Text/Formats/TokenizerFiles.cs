namespace Toolkit.Text;

/// <summary>Which files hold a tokenizer, and of what format.</summary>
internal static class TokenizerFiles
{
    private const string SentencePieceEnding = ".model";
    private const string TiktokenEnding = ".tiktoken";

    private static readonly HashSet<string> FlagClasses = new(StringComparer.Ordinal)
    {
        "LlamaTokenizer", "LlamaTokenizerFast", "CodeLlamaTokenizer", "CodeLlamaTokenizerFast", "GemmaTokenizer", "GemmaTokenizerFast", "CohereTokenizer", "CohereTokenizerFast",
    };

    /// <summary>The tokenizer of a folder: the file that says most of it; of a folder without any the name that is missing.</summary>
    public static string Find(string folder)
    {
        var json = Path.Combine(folder, TokenizerJson.FileName);
        string[] candidates = [json, Path.Combine(folder, SentencePieceFile.FileName), Path.Combine(folder, "spiece.model"), Path.Combine(folder, "sentencepiece.bpe.model")];
        return candidates.FirstOrDefault(File.Exists) ?? Directory.EnumerateFiles(folder, "*" + TiktokenEnding).Order(StringComparer.Ordinal).FirstOrDefault() ?? json;
    }

    /// <summary>Reads a file by the ending of its name.</summary>
    /// <exception cref="InvalidDataException">It is malformed.</exception>
    /// <exception cref="NotSupportedException">A part of it is of an unknown kind.</exception>
    public static TokenizerDefinition Read(string name, byte[] content, TokenizerConfiguration? configuration) => Path.GetExtension(name).ToLowerInvariant() switch
    {
        SentencePieceEnding => SentencePieceFile.Read(content, configuration?.AddBeginOfText, configuration?.AddEndOfText),
        TiktokenEnding => TiktokenFile.Read(Path.GetFileNameWithoutExtension(name), content),
        _ => Framed(TokenizerJson.Read(content), configuration),
    };

    /// <summary>
    /// What stands around a text, where it is not <c>tokenizer.json</c> that says it: transformers' classes for Llama and Gemma build it from the flags
    /// <c>add_bos_token</c> and <c>add_eos_token</c>, whatever is in there. DeepSeek's models count on that.
    /// </summary>
    private static TokenizerDefinition Framed(TokenizerDefinition definition, TokenizerConfiguration? configuration)
    {
        if (configuration is not { Class: { } name } || !FlagClasses.Contains(name) || (configuration.AddBeginOfText ?? configuration.AddEndOfText) is null)
        {
            return definition;
        }

        var begin = configuration.AddBeginOfText ?? true ? Id(configuration.BeginOfText) : null;
        var end = configuration.AddEndOfText ?? false ? Id(configuration.EndOfText) : null;
        return definition with { PostProcessor = PostProcessor.Around(begin, end) };

        int? Id(string? token) => token is null ? null
            : definition.Added.FirstOrDefault(added => added.Content == token) is { } special ? special.Id
            : definition.Model.Vocabulary.TryGetValue(token, out var id) ? id : null;
    }
}
