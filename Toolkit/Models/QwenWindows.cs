namespace Toolkit.Models;

/// <summary>Windows of Qwen's files: off unless asked for, and then on the layers from a certain one on.</summary>
internal static class QwenWindows
{
    public static DecoderConfig Read(DecoderConfig config, ConfigReader file, Func<DecoderConfig, ConfigReader, int?, Func<int, bool>, DecoderConfig> windows)
    {
        var window = !file.Flag("use_sliding_window", false) ? null : file.Has("sliding_window") ? file.OptionalInt("sliding_window") : 4096;
        var first = file.Int(28, "max_window_layers");
        return windows(config, file, window, layer => window is not null && layer >= first);
    }
}
