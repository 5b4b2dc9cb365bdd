namespace Toolkit.Checkpoints;

/// <summary>A file on the server.</summary>
/// <param name="Name">Its path in the model.</param>
/// <param name="Address">Where it is asked for.</param>
/// <param name="Hash">What it is called in the cache: its SHA-256, or the SHA-1 that git gives it, or whatever the server calls it.</param>
/// <param name="Length">Its bytes, if the server says.</param>
internal sealed record RemoteFile(string Name, Uri Address, string Hash, long? Length);
