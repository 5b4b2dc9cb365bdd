namespace Toolkit.Text;

/// <summary>A piece of a SentencePiece vocabulary.</summary>
/// <param name="Text">Its spelling, spaces as ▁.</param>
/// <param name="Score">Its log-probability, or how early it was merged.</param>
/// <param name="Type">What it is for.</param>
internal sealed record SentencePiece(string Text, float Score, SentencePieceType Type)
{
    public static SentencePiece Parse(ReadOnlySpan<byte> message, int id)
    {
        var (text, score, type) = ("", 0f, SentencePieceType.Normal);
        var fields = new ProtobufReader(message);
        while (fields.Next())
        {
            switch (fields.Field)
            {
                case 1:
                    text = fields.Text;
                    break;
                case 2:
                    score = fields.Float;
                    break;
                case 3:
                    type = (SentencePieceType)fields.Number;
                    break;
            }
        }

        return text.Length > 0 && Enum.IsDefined(type) ? new(text, score, type) : throw new InvalidDataException($"the piece {id} is empty or of the unknown type {(int)type}");
    }

    public byte[] Write()
    {
        var fields = new ProtobufWriter();
        fields.Text(1, Text);
        fields.Float(2, Score);
        fields.Number(3, (int)Type);
        return fields.Content;
    }
}

/// <summary>What a piece of a SentencePiece vocabulary is for; the numbers are those of the file, and of GGUF's token types.</summary>
internal enum SentencePieceType
{
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}
