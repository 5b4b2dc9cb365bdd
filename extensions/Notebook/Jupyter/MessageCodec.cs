using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Toolkit.Notebook.Jupyter;

/// <summary>Messages to frames and back, signed with HMAC-SHA256 over the four JSON parts.</summary>
internal sealed class MessageCodec(string key)
{
    /// <summary>The one scheme of signatures.</summary>
    public const string Scheme = "hmac-sha256";

    private static readonly byte[] Delimiter = "<IDS|MSG>"u8.ToArray();
    private readonly byte[] _key = Encoding.UTF8.GetBytes(key);

    /// <summary>The frames of a message.</summary>
    public List<byte[]> Encode(KernelMessage message)
    {
        byte[][] parts = [Bytes(message.Header), Bytes(message.Parent), "{}"u8.ToArray(), Bytes(message.Content)];
        return [.. message.Identities, Delimiter, Encoding.ASCII.GetBytes(Sign(parts)), .. parts];
    }

    /// <summary>The message of some frames.</summary>
    /// <exception cref="InvalidDataException">The frames are no message, or are wrongly signed.</exception>
    public KernelMessage Decode(IReadOnlyList<byte[]> frames)
    {
        var at = frames.Index().FirstOrDefault(frame => frame.Item.AsSpan().SequenceEqual(Delimiter), (-1, [])).Index;
        if (at < 0 || frames.Count < at + 6)
        {
            throw new InvalidDataException($"{frames.Count} frames are no message: {(at < 0 ? "there is no delimiter" : "parts are missing")}");
        }

        byte[][] parts = [.. frames.Skip(at + 2).Take(4)];
        var expected = Encoding.ASCII.GetBytes(Sign(parts));
        if (_key.Length > 0 && !CryptographicOperations.FixedTimeEquals(expected, frames[at + 1]))
        {
            throw new InvalidDataException("the signature is wrong");
        }

        try
        {
            return new([.. frames.Take(at)], Json(parts[0]), Json(parts[1]), Json(parts[3]));
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException($"a part is not a JSON object: {problem.Message}", problem);
        }
    }

    private static byte[] Bytes(JsonObject json) => Encoding.UTF8.GetBytes(json.ToJsonString());

    private static JsonObject Json(byte[] part) => JsonNode.Parse(part)?.AsObject() ?? throw new JsonException("null");

    private string Sign(byte[][] parts)
    {
        if (_key.Length == 0)
        {
            return "";
        }

        using var hash = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, _key);
        foreach (var part in parts)
        {
            hash.AppendData(part);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
