using System.Text;
using Toolkit.Text;

namespace Toolkit.Tests.Text;

/// <summary>Just enough of GGUF to read the vocabulary of a file: the real reader is in Checkpoints, which the room under test must not use.</summary>
internal static class GgufMetadata
{
    public static GgufVocabulary ReadVocabulary(Stream stream)
    {
        var values = Read(new BinaryReader(stream));
        T? Get<T>(string name) => values.TryGetValue("tokenizer.ggml." + name, out var value) ? (T)value : default;
        int? Id(string name) => values.TryGetValue($"tokenizer.ggml.{name}_token_id", out var value) ? Convert.ToInt32(value) : null;
        bool? Flag(string name) => values.TryGetValue("tokenizer.ggml." + name, out var value) ? (bool)value : null;
        return new()
        {
            Model = Get<string>("model")!,
            PreTokenizer = Get<string>("pre"),
            Tokens = [.. Get<object[]>("tokens")!.Cast<string>()],
            Scores = Get<object[]>("scores")?.Cast<float>().ToArray(),
            TokenTypes = Get<object[]>("token_type")?.Select(Convert.ToInt32).ToArray(),
            Merges = Get<object[]>("merges")?.Cast<string>().ToArray(),
            BeginOfTextId = Id("bos"),
            EndOfTextId = Id("eos"),
            UnknownId = Id("unknown"),
            SeparatorId = Id("seperator"),
            AddBeginOfText = Flag("add_bos_token"),
            AddEndOfText = Flag("add_eos_token"),
            AddSpacePrefix = Flag("add_space_prefix"),
            RemoveExtraWhitespaces = Flag("remove_extra_whitespaces") ?? false,
            PrecompiledCharacterMap = Get<object[]>("precompiled_charsmap")?.Select(value => unchecked((byte)Convert.ToInt32(value))).ToArray(),
            ChatTemplate = values.TryGetValue("tokenizer.chat_template", out var template) ? (string)template : null,
        };
    }

    private static Dictionary<string, object> Read(BinaryReader reader)
    {
        Assert.Equal("GGUF"u8.ToArray(), reader.ReadBytes(4));
        var version = reader.ReadUInt32();
        Assert.InRange(version, 2u, 3u);
        reader.ReadUInt64();
        var values = new Dictionary<string, object>();
        for (var count = reader.ReadUInt64(); count > 0; count--)
        {
            var name = String(reader);
            values[name] = Value(reader, reader.ReadUInt32());
        }

        return values;
    }

    private static string String(BinaryReader reader) => Encoding.UTF8.GetString(reader.ReadBytes((int)reader.ReadUInt64()));

    private static object Value(BinaryReader reader, uint type) => type switch
    {
        0 => reader.ReadByte(),
        1 => reader.ReadSByte(),
        2 => reader.ReadUInt16(),
        3 => reader.ReadInt16(),
        4 => reader.ReadUInt32(),
        5 => reader.ReadInt32(),
        6 => reader.ReadSingle(),
        7 => reader.ReadByte() != 0,
        8 => String(reader),
        9 => Array(reader),
        10 => reader.ReadUInt64(),
        11 => reader.ReadInt64(),
        12 => reader.ReadDouble(),
        _ => throw new InvalidDataException($"a value of type {type}"),
    };

    private static object[] Array(BinaryReader reader)
    {
        var type = reader.ReadUInt32();
        return [.. Enumerable.Range(0, (int)reader.ReadUInt64()).Select(_ => Value(reader, type))];
    }
}
