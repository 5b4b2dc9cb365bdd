namespace Toolkit.Evaluation;

/// <summary>How well a model predicts a text.</summary>
/// <param name="Loss">Mean cross-entropy a token, in nats.</param>
/// <param name="Tokens">Tokens predicted.</param>
/// <param name="Bytes">UTF-8 bytes of the text that those tokens spell.</param>
public sealed record EvaluationResult(double Loss, long Tokens, long Bytes)
{
    /// <summary>exp(loss).</summary>
    public double Perplexity => Math.Exp(Loss);

    /// <summary>Bits a UTF-8 byte: comparable between tokenizers, as perplexity is not.</summary>
    public double BitsPerByte => Loss * Tokens / Math.Log(2) / Bytes;
}
