using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Toolkit.Data;

/// <summary>What a data set's <c>corpus.json</c> says: where its text comes from, what may be done with it, and what its files must be.</summary>
/// <param name="Name">Name of the data set.</param>
/// <param name="Title">What it is, in words.</param>
/// <param name="Licence">The licence of the text.</param>
/// <param name="Origin">Where the text was taken from.</param>
/// <param name="Files">Its files, in order.</param>
/// <param name="Separator">What stands between two documents of a file.</param>
/// <param name="ValidationEvery">Every n-th document is validation; 0: none is.</param>
public sealed record CorpusManifest(
    string Name, string Title, string Licence, string Origin, IReadOnlyList<CorpusFile> Files, string Separator, int ValidationEvery)
{
    /// <summary>Name of the manifest in its folder.</summary>
    public const string FileName = "corpus.json";

    private static readonly JsonSerializerOptions Format = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    /// <summary>Reads the manifest of a folder.</summary>
    /// <exception cref="InvalidDataException">The file is missing or is not a manifest.</exception>
    public static CorpusManifest Read(string folder)
    {
        var path = Path.Combine(folder, FileName);
        try
        {
            var manifest = JsonSerializer.Deserialize<CorpusManifest>(File.ReadAllText(path), Format) ?? throw new JsonException("it is empty");
            return manifest.Files.Count == 0 ? throw new JsonException("it lists no files")
                : manifest.Separator.Length == 0 ? throw new JsonException("its separator is empty")
                : manifest.ValidationEvery < 0 ? throw new JsonException($"validationEvery {manifest.ValidationEvery} is negative")
                : manifest;
        }
        catch (FileNotFoundException problem)
        {
            throw new InvalidDataException($"{folder} is not a data set: it has no {FileName}", problem);
        }
        catch (JsonException problem)
        {
            throw new InvalidDataException($"{path} is not a manifest: {problem.Message}", problem);
        }
    }
}

/// <summary>One file of a data set.</summary>
/// <param name="Path">Its path inside the data set's folder.</param>
/// <param name="Sha256">SHA-256 of its bytes, in hexadecimal.</param>
/// <param name="Bytes">Its length.</param>
public sealed record CorpusFile(string Path, string Sha256, long Bytes)
{
    /// <summary>The text of this file of <paramref name="folder"/>, after its length and checksum were found right. Files named *.gz are unpacked.</summary>
    /// <exception cref="InvalidDataException">The file is missing, lies outside the folder, is not what the manifest says, or is not UTF-8.</exception>
    internal string ReadText(string folder)
    {
        var root = System.IO.Path.GetFullPath(folder) + System.IO.Path.DirectorySeparatorChar;
        var path = System.IO.Path.GetFullPath(System.IO.Path.Combine(root, Path));
        if (!path.StartsWith(root, StringComparison.Ordinal))
        {
            throw new InvalidDataException($"{root}{CorpusManifest.FileName} names the file '{Path}', which is outside of its folder");
        }

        if (!File.Exists(path))
        {
            throw new InvalidDataException($"{path} is missing; {CorpusManifest.FileName} beside it lists it with {Bytes} bytes");
        }

        var bytes = File.ReadAllBytes(path);
        var hash = Convert.ToHexStringLower(SHA256.HashData(bytes));
        if (bytes.LongLength != Bytes || !hash.Equals(Sha256, StringComparison.OrdinalIgnoreCase))
        {
            throw new InvalidDataException(
                $"{path} is not the file that {CorpusManifest.FileName} describes: it has {bytes.LongLength} bytes and SHA-256 {hash}, expected {Bytes} bytes and {Sha256}");
        }

        return TextFile.Decode(bytes, path);
    }
}
