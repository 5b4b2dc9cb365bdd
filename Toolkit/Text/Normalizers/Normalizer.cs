namespace Toolkit.Text;

/// <summary>Changes a text before it is split.</summary>
internal abstract class Normalizer
{
    /// <summary>The text as the vocabulary wants it.</summary>
    public abstract string Normalize(string text);

    /// <summary>Reads the <c>normalizer</c> of a tokenizer.json; null gives null.</summary>
    /// <exception cref="InvalidDataException">It is malformed.</exception>
    /// <exception cref="NotSupportedException">It is of a type that nobody has described to us.</exception>
    public static Normalizer? Read(JsonFields? description) => description is not { } json ? null : json.Type switch
    {
        "NFC" => new Mapped(text => UnicodeNormalization.Normalize(text, compose: true, compatibility: false)),
        "NFD" => new Mapped(text => UnicodeNormalization.Normalize(text, compose: false, compatibility: false)),
        "NFKC" => new Mapped(text => UnicodeNormalization.Normalize(text, compose: true, compatibility: true)),
        "NFKD" => new Mapped(text => UnicodeNormalization.Normalize(text, compose: false, compatibility: true)),
        "Lowercase" => new Mapped(Characters.Lower),
        "Strip" => new StripNormalizer(json.Flag("strip_left", true), json.Flag("strip_right", true)),
        "StripAccents" => new Mapped(text => Characters.Where(text, point => !Characters.IsMark(point))),
        "Replace" => new ReplaceNormalizer(UnicodePattern.Read(json, "pattern"), json.Text("content")),
        "Prepend" => Prepend(json.Text("prepend")),
        "Precompiled" => new PrecompiledNormalizer(CharacterMap.Read(json)),
        "BertNormalizer" => new BertNormalizer(
            json.Flag("clean_text", true), json.Flag("handle_chinese_chars", true), json.Flag("strip_accents", json.Flag("lowercase", true)), json.Flag("lowercase", true)),
        "Nmt" => new Mapped(NmtNormalizer.Normalize),
        "ByteLevel" => new Mapped(text => ByteAlphabet.Spell(Wtf8.Encode(text))),
        "Sequence" => new SequenceNormalizer([.. json.Objects("normalizers").Select(part => Read(part)!)]),
        var other => throw new NotSupportedException($"{json.Path} is of type {other}, which is not supported"),
    };

    private static Mapped Prepend(string prefix) => new(text => text.Length == 0 ? text : prefix + text);

    private sealed class Mapped(Func<string, string> map) : Normalizer
    {
        public override string Normalize(string text) => map(text);
    }
}
