namespace Toolkit.Checkpoints;

/// <summary>How far the download of a model is.</summary>
/// <param name="Model">The model's name.</param>
/// <param name="File">The file that is being fetched.</param>
/// <param name="FileNumber">Its number, from 1.</param>
/// <param name="Files">All files that are fetched.</param>
/// <param name="Bytes">Bytes of all these files that are here.</param>
/// <param name="TotalBytes">Bytes that they have together; null where the server does not say.</param>
public sealed record DownloadProgress(string Model, string File, int FileNumber, int Files, long Bytes, long? TotalBytes);
