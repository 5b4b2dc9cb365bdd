namespace Toolkit.Text;

/// <summary>One step from the spellings of tokens to text (the <c>decoder</c> of a tokenizer.json): the parts that come out are joined in the end.</summary>
internal abstract class TokenDecoder
{
    /// <summary>The parts of the text.</summary>
    public abstract List<string> Decode(List<string> tokens);

    /// <summary>Reads the <c>decoder</c> of a tokenizer.json; null gives null.</summary>
    /// <exception cref="InvalidDataException">It is malformed.</exception>
    /// <exception cref="NotSupportedException">It is of a type that nobody has described to us.</exception>
    public static TokenDecoder? Read(JsonFields? description) => description is not { } json ? null : json.Type switch
    {
        "ByteLevel" => new ByteLevelDecoder(),
        "WordPiece" => new WordPieceDecoder(json.TextOr("prefix", "##")!, json.Flag("cleanup", true)),
        "Metaspace" => Metaspace(json),
        "ByteFallback" => new ByteFallbackDecoder(),
        "Replace" => Replace(new ReplaceNormalizer(UnicodePattern.Read(json, "pattern"), json.Text("content"))),
        "Fuse" => new Joined(tokens => [string.Concat(tokens)]),
        "Strip" => Strip(json),
        "CTC" => new CtcDecoder(json.TextOr("pad_token", "<pad>")!, json.TextOr("word_delimiter_token", "|")!, json.Flag("cleanup", true)),
        "BPEDecoder" => Suffix(json.TextOr("suffix", "</w>")!),
        "Sequence" => Sequence([.. json.Objects("decoders").Select(part => Read(part)!)]),
        var other => throw new NotSupportedException($"{json.Path} is of type {other}, which is not supported"),
    };

    private static Joined Sequence(IReadOnlyList<TokenDecoder> parts) => new(tokens => parts.Aggregate(tokens, (current, part) => part.Decode(current)));

    private static Joined Replace(Normalizer replacement) => new(tokens => [.. tokens.Select(replacement.Normalize)]);

    private static Joined Suffix(string suffix) => new(tokens =>
        suffix.Length == 0 ? tokens : [.. tokens.Select((token, index) => token.Replace(suffix, index == tokens.Count - 1 ? "" : " ", StringComparison.Ordinal))]);

    private static Joined Metaspace(JsonFields json)
    {
        var replacement = json.TextOr("replacement", "▁")!;
        var strips = MetaspacePreTokenizer.Scheme(json) != PrependScheme.Never;
        return replacement.Length == 1
            ? new(tokens => [.. tokens.Select((token, index) => token.Replace(replacement, index == 0 && strips ? "" : " ", StringComparison.Ordinal))])
            : throw json.Problem("replacement", $"is '{replacement}', not one character");
    }

    private static Joined Strip(JsonFields json)
    {
        var (content, start, stop) = (json.Text("content"), json.Number("start", 0), json.Number("stop", 0));
        return content.Length == 1 ? new(tokens => [.. tokens.Select(token => Strip(token, content[0], start, stop))])
            : throw json.Problem("content", $"is '{content}', not one character");
    }

    private static string Strip(string token, char content, int start, int stop)
    {
        var (begin, end) = (0, token.Length);
        while (begin < Math.Min(start, token.Length) && token[begin] == content)
        {
            begin++;
        }

        while (end > begin && token.Length - end < stop && token[end - 1] == content)
        {
            end--;
        }

        return token[begin..end];
    }

    private sealed class Joined(Func<List<string>, List<string>> step) : TokenDecoder
    {
        public override List<string> Decode(List<string> tokens) => step(tokens);
    }
}
