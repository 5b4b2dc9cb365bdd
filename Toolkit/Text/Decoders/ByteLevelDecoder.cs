namespace Toolkit.Text;

/// <summary>Reads the byte alphabet; a token that is not spelt in it is text.</summary>
internal sealed class ByteLevelDecoder : TokenDecoder
{
    public override List<string> Decode(List<string> tokens) => [Wtf8.Decode([.. tokens.SelectMany(Bytes)])];

    /// <summary>The bytes of a token.</summary>
    public static byte[] Bytes(string token) => ByteAlphabet.Read(token) ?? Wtf8.Encode(token);
}
