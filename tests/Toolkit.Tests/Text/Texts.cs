using CsCheck;
using Toolkit.Text;

namespace Toolkit.Tests.Text;

/// <summary>Texts and a small tokenizer for the tests of this room.</summary>
internal static class Texts
{
    public const string Sample =
        "We, the people of the United States, in order to form a more perfect union, don't forget: they've established 1,787 things.\n\n\tÉtats-Unis "
        + "— naïve façade, Ελλάδα, 日本語のテキスト, 𝔸𝔹ℂ 🦙🦙 and so on; the people, the union, the States.  \r\nThe end   ";

    /// <summary>Characters of every kind that tokenizers stumble over, valid pairs and lone surrogates among them.</summary>
    public static readonly Gen<string> Any = Gen.OneOf(
        Gen.Char.Array[0, 40].Select(characters => new string(characters)),
        From(" ", "  ", "\n", "\t", "'s", "'ll", "don't", "The", "union", "é", "日本", "🦙", "𝔸", "\uD83E", "\uDD99", "\u0301", "\u200D", "12", "½", "…", "<|endoftext|>", "\0", "\u3000", "\uFFFD")
            .Array[0, 12].Select(string.Concat),
        Gen.String[Gen.Char[' ', '~'], 0, 60]);

    /// <summary>Characters that Unicode has given a class since the tables that Hugging Face's tokenizers uses were made.</summary>
    public const string NewerThanTheirTables = "\u0C84\u0C3C\u1ACC";

    public static Tokenizer Tokenizer { get; } = BpeTrainer.Train([Sample, .. Enumerable.Repeat("the people of the union and the states of the union", 20)], 400);

    /// <summary>One of the given values.</summary>
    public static Gen<T> From<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(index => values[index]);
}
