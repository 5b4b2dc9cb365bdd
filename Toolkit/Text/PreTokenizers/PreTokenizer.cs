using System.Text;

namespace Toolkit.Text;

/// <summary>Cuts a text into the parts that are encoded one by one.</summary>
internal abstract class PreTokenizer
{
    /// <summary>Appends the parts of a part.</summary>
    public abstract void Split(TextSlice slice, List<TextSlice> parts);

    /// <summary>Reads the <c>pre_tokenizer</c> of a tokenizer.json as the steps it consists of; null gives none.</summary>
    /// <exception cref="InvalidDataException">It is malformed.</exception>
    /// <exception cref="NotSupportedException">It is of a type that nobody has described to us.</exception>
    public static IReadOnlyList<PreTokenizer> Read(JsonFields? description)
    {
        if (description is not { } json)
        {
            return [];
        }

        return json.Type switch
        {
            "Sequence" => [.. json.Objects("pretokenizers").SelectMany(part => Read(part))],
            "ByteLevel" => [new ByteLevelPreTokenizer(json.Flag("add_prefix_space", true), json.Flag("use_regex", true))],
            "Split" => [new SplitPreTokenizer(UnicodePattern.Read(json, "pattern"), Behavior(json, SplitBehavior.Isolated), json.Flag("invert", false))],
            "Whitespace" => [new CharacterPreTokenizer(point => Characters.IsWhiteSpace(point) ? null : Characters.IsWord(point) ? 'w' : 'o')],
            "WhitespaceSplit" => [new CharacterPreTokenizer(point => Characters.IsWhiteSpace(point) ? null : 'w')],
            "BertPreTokenizer" =>
            [
                new CharacterPreTokenizer(point => Characters.IsWhiteSpace(point) ? null : Characters.IsPunctuation(point) ? CharacterPreTokenizer.Alone : 'w'),
            ],
            "Digits" => [new CharacterPreTokenizer(Digits(json.Flag("individual_digits", false)))],
            "Punctuation" => [new SplitPreTokenizer(Characters.IsPunctuation, Behavior(json, SplitBehavior.Isolated))],
            "CharDelimiterSplit" => [new SplitPreTokenizer(UnicodePattern.OfText(json.Text("delimiter")), SplitBehavior.Removed, invert: false)],
            "FixedLength" => [new FixedLengthPreTokenizer(json.Number("length", 5))],
            "Metaspace" => [MetaspacePreTokenizer.Read(json)],
            var other => throw new NotSupportedException($"{json.Path} is of type {other}, which is not supported"),
        };
    }

    private static Func<int, char?> Digits(bool alone) => point => !Characters.IsNumeric(point) ? 'w' : alone ? CharacterPreTokenizer.Alone : 'd';

    private static SplitBehavior Behavior(JsonFields json, SplitBehavior otherwise) =>
        json.TextOr("behavior", otherwise.ToString()) is var name && Enum.TryParse<SplitBehavior>(name, out var behavior) && Enum.IsDefined(behavior)
            ? behavior : throw json.Problem("behavior", $"is {name}, which is not supported");
}
