namespace Toolkit.Checkpoints;

/// <summary>How far the download of a model is.</summary>
/// <param name="File">The file that is being fetched.</param>
/// <param name="FileNumber">Its number, from 1.</param>
/// <param name="Files">All files.</param>
/// <param name="Bytes">Bytes of it that are there.</param>
/// <param name="TotalBytes">Bytes that it has; null where the server does not say.</param>
public sealed record DownloadProgress(string File, int FileNumber, int Files, long Bytes, long? TotalBytes);
