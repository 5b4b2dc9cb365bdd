using Toolkit.Text;

namespace Toolkit.Checkpoints;

/// <summary>The tokenizer inside of a GGUF file, by its metadata tokenizer.ggml.*.</summary>
internal static class GgufVocabularyReader
{
    /// <exception cref="CheckpointException">The metadata is missing, of other types, or does not fit together.</exception>
    /// <exception cref="NotSupportedException">The tokenizer is of a kind that is not supported.</exception>
    public static Tokenizer Read(GgufFile file)
    {
        var vocabulary = Vocabulary(file);
        try
        {
            return Tokenizer.FromGguf(vocabulary);
        }
        catch (InvalidDataException problem)
        {
            throw CheckpointException.In(file.Path, problem.Message, problem);
        }
        catch (NotSupportedException problem)
        {
            throw new NotSupportedException($"{file.Path}: {problem.Message}", problem);
        }
    }

    private static GgufVocabulary Vocabulary(GgufFile file)
    {
        var metadata = file.Metadata;
        var types = metadata.Integers(Key("token_type"));
        var tokens = WithoutPadding(metadata.Texts(Key("tokens")) ?? throw Lacks("tokens"), types);
        return new()
        {
            Model = metadata.Text(Key("model")) ?? throw Lacks("model"),
            PreTokenizer = metadata.Text(Key("pre")),
            Tokens = tokens,
            Scores = metadata.Numbers(Key("scores")) is { } scores ? Array.ConvertAll(scores, score => (float)score) : null,
            TokenTypes = types is null ? null : Array.ConvertAll(types, type => (int)Math.Clamp(type, int.MinValue, int.MaxValue)),
            Merges = metadata.Texts(Key("merges")),
            BeginOfTextId = Id("bos_token_id"),
            EndOfTextId = Id("eos_token_id"),
            UnknownId = Id("unknown_token_id"),
            SeparatorId = Id("seperator_token_id"),
            AddBeginOfText = metadata.Flag(Key("add_bos_token")),
            AddEndOfText = metadata.Flag(Key("add_eos_token")),
            AddSpacePrefix = metadata.Flag(Key("add_space_prefix")),
            RemoveExtraWhitespaces = metadata.Flag(Key("remove_extra_whitespaces")) ?? false,
            PrecompiledCharacterMap = metadata.Integers(Key("precompiled_charsmap")) is { } map ? Array.ConvertAll(map, item => unchecked((byte)item)) : null,
            Lowercase = metadata.Flag(Key("normalizer.lowercase")),
            ChatTemplate = metadata.Text("tokenizer.chat_template"),
        };

        static string Key(string name) => $"tokenizer.ggml.{name}";

        int? Id(string name) => metadata.Integer(Key(name)) is { } id and >= 0 and <= int.MaxValue ? (int)id : null;

        CheckpointException Lacks(string name) => CheckpointException.In(file.Path, $"the metadata lacks \"{Key(name)}\", so there is no tokenizer in it");
    }

    /// <summary>Rows of the embedding table that no token has are given names when a file is written, and nothing should ever decode to them.</summary>
    private static string[] WithoutPadding(string[] tokens, long[]? types)
    {
        var count = tokens.Length;
        while (count > 0 && types?.Length >= count && types[count - 1] == GgufVocabularyWriter.Unused && tokens[count - 1] == GgufVocabularyWriter.Padding(count - 1))
        {
            count--;
        }

        return tokens[..count];
    }
}
