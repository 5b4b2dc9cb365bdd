namespace Toolkit.Text;

/// <summary>Which files hold a tokenizer, and of what format.</summary>
internal static class TokenizerFiles
{
    private const string SentencePieceEnding = ".model";
    private const string TiktokenEnding = ".tiktoken";

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
        _ => TokenizerJson.Read(content),
    };
}
