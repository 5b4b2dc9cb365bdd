namespace Toolkit.Measurement;

/// <summary>The most that this machine was seen to do, measured here and now: what utilization is relative to.</summary>
/// <param name="ReadBytesPerSecond">Bytes a second that all cores together read from memory.</param>
/// <param name="MatMulFlopsPerSecond">FLOP/s of a large float32 matrix product.</param>
/// <param name="Threads">Threads that took part.</param>
public sealed record MachineCeiling(double ReadBytesPerSecond, double MatMulFlopsPerSecond, int Threads);
