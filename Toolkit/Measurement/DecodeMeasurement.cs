using Toolkit.Evaluation;

namespace Toolkit.Measurement;

/// <summary>How fast a model decoded, one token at a time.</summary>
/// <param name="Tokens">Tokens decoded after the prompt.</param>
/// <param name="Prefill">Time of the forward pass over the prompt.</param>
/// <param name="Decode">Time of all decoded tokens.</param>
/// <param name="BytesPerToken">Bytes that one token must read: every weight that takes part and the used part of the key-value cache (mean over the run).</param>
/// <param name="Ceiling">The machine's measured ceilings.</param>
/// <param name="Memory">Memory by kind while decoding.</param>
public sealed record DecodeMeasurement(int Tokens, TimeSpan Prefill, TimeSpan Decode, double BytesPerToken, MachineCeiling Ceiling, MemoryUse Memory)
{
    /// <summary>Decoded tokens a second.</summary>
    public double TokensPerSecond => Tokens / Decode.TotalSeconds;

    /// <summary>Bytes a second that decoding read: tokens/s times bytes a token.</summary>
    public double AchievedBytesPerSecond => TokensPerSecond * BytesPerToken;

    /// <summary>Model bandwidth utilization: achieved bytes a second over the measured read bandwidth.</summary>
    public double ModelBandwidthUtilization => AchievedBytesPerSecond / Ceiling.ReadBytesPerSecond;
}
