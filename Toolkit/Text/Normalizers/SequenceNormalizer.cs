namespace Toolkit.Text;

/// <summary>One normalizer after the other.</summary>
internal sealed class SequenceNormalizer(IReadOnlyList<Normalizer> parts) : Normalizer
{
    // Replacements that feed each other could grow a text without bound: no real one makes it a thousand times longer.
    private const long LargestGrowth = 1024;

    public override string Normalize(string text)
    {
        var limit = LargestGrowth * (text.Length + 1024L);
        foreach (var part in parts)
        {
            text = part.Normalize(text);
            if (text.Length > limit)
            {
                throw new InvalidDataException($"the normalizers of this tokenizer make a text more than {LargestGrowth} times longer");
            }
        }

        return text;
    }
}
