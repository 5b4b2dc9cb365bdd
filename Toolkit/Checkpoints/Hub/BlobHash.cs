using System.Security.Cryptography;
using System.Text;

namespace Toolkit.Checkpoints;

/// <summary>The hashes by which a Hugging Face server names files.</summary>
internal static class BlobHash
{
    private const int Sha256Length = 64;
    private const int Sha1Length = 40;

    /// <summary>The hash of a file in the form of the expected one: SHA-256 for large files, git's SHA-1 for others; null for a hash of another form.</summary>
    public static async Task<string?> Of(string path, string expected, CancellationToken cancellation)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 17, useAsync: true);
        if (expected.Length == Sha256Length)
        {
            return Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellation).ConfigureAwait(false));
        }

        if (expected.Length != Sha1Length)
        {
            return null;
        }

        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
        hash.AppendData(Encoding.ASCII.GetBytes($"blob {stream.Length}\0"));
        var buffer = new byte[1 << 16];
        int count;
        while ((count = await stream.ReadAsync(buffer, cancellation).ConfigureAwait(false)) > 0)
        {
            hash.AppendData(buffer, 0, count);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
