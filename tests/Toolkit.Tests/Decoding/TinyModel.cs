using Toolkit.Models;
using Toolkit.Text;

namespace Toolkit.Tests.Decoding;

/// <summary>A small model of random weights and a small byte-level tokenizer.</summary>
internal static class TinyModel
{
    public const string Prompt = "My fellow citizens,";

    public static Tokenizer Tokenizer { get; } = Tokenizer.Train(
        Enumerable.Repeat("My fellow citizens, the state of the union is strong. Café – naïve façade, 東京.", 20), 300);

    public static DecoderConfig Config { get; } = DecoderConfig.Llama(
        layers: 2, width: 32, heads: 4, keyValueHeads: 2, vocabularySize: Tokenizer.VocabularySize, maxPositions: 128);

    public static Decoder Create(DecoderConfig? config = null, long seed = 5) => Decoder.Create(config ?? Config, seed);
}
