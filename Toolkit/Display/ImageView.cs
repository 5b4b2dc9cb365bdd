using System.Text;

namespace Toolkit.Display;

/// <summary>A picture: PNG, JPEG, GIF, WebP or SVG.</summary>
public sealed class ImageView : IDisplayable
{
    private readonly byte[] _data;
    private readonly string _type;

    private ImageView(byte[] data, string type) => (_data, _type) = (data, type);

    /// <summary>Words for who cannot see it.</summary>
    public string Description { get; init; } = "";

    /// <summary>The picture in a file.</summary>
    /// <exception cref="InvalidDataException">The file is no picture of a known kind.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static ImageView Open(string path)
    {
        var data = File.ReadAllBytes(path);
        return new ImageView(data, TypeOf(data) ?? throw new InvalidDataException($"{path} is not a PNG, JPEG, GIF, WebP or SVG file.")) { Description = Path.GetFileName(path) };
    }

    /// <summary>The picture in these bytes.</summary>
    /// <exception cref="InvalidDataException">They are no picture of a known kind.</exception>
    public static ImageView Of(byte[] data) => new(data, TypeOf(data) ?? throw new InvalidDataException($"These {data.Length} bytes are not a PNG, JPEG, GIF, WebP or SVG file."));

    /// <inheritdoc/>
    public MimeBundle ToMimeBundle()
    {
        var plain = $"{_type} picture, {Units.Bytes(_data.Length)}{(Description.Length > 0 ? $": {Description}" : "")}";
        var encoded = Convert.ToBase64String(_data);
        var html = Fragment.Box($"<img style=\"max-width:100%\" alt=\"{Fragment.Encode(Description)}\" src=\"data:{_type};base64,{encoded}\"/>");
        return new MimeBundle(new Dictionary<string, string> { [_type] = _type == "image/svg+xml" ? Encoding.UTF8.GetString(_data) : encoded, [MimeBundle.HtmlType] = html, [MimeBundle.PlainType] = plain });
    }

    private static string? TypeOf(ReadOnlySpan<byte> data) =>
        data.StartsWith((ReadOnlySpan<byte>)[0x89, 0x50, 0x4E, 0x47]) ? "image/png"
        : data.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xD8, 0xFF]) ? "image/jpeg"
        : data.StartsWith("GIF8"u8) ? "image/gif"
        : data.Length > 12 && data.StartsWith("RIFF"u8) && data[8..12].SequenceEqual("WEBP"u8) ? "image/webp"
        : data[..Math.Min(data.Length, 1024)].IndexOf("<svg"u8) >= 0 ? "image/svg+xml"
        : null;
}
