namespace Toolkit.Checkpoints;

/// <summary>Where models are kept and where they come from, in the way that Hugging Face's tools are told: by variables of the environment.</summary>
public sealed record ModelCacheOptions
{
    /// <summary>The folder of all models: <c>HF_HUB_CACHE</c> or <c>HUGGINGFACE_HUB_CACHE</c>, else <c>hub</c> in <c>HF_HOME</c>, else in <c>~/.cache/huggingface</c>.</summary>
    public required string Folder { get; init; }

    /// <summary>Where models are downloaded from: <c>HF_ENDPOINT</c>.</summary>
    public Uri Endpoint { get; init; } = new("https://huggingface.co");

    /// <summary>What says who asks, for models that are not for everyone: <c>HF_TOKEN</c>, else the file <c>HF_TOKEN_PATH</c> or <c>token</c> in <c>HF_HOME</c>. Sent to the endpoint alone.</summary>
    public string? Token { get; init; }

    /// <summary>Whether nothing may be downloaded: <c>HF_HUB_OFFLINE</c>.</summary>
    public bool Offline { get; init; }

    /// <summary>How often a broken connection is taken up again before it is given up.</summary>
    public int Retries { get; init; } = 4;

    /// <summary>How long is waited before the first retry; before each further one twice as long.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long nothing may come before a connection counts as broken.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>What the environment says.</summary>
    /// <param name="variable">Variables by name; null: those of the process.</param>
    /// <exception cref="ArgumentException">HF_ENDPOINT is no address.</exception>
    public static ModelCacheOptions FromEnvironment(Func<string, string?>? variable = null)
    {
        var get = variable ?? Environment.GetEnvironmentVariable;
        var userCache = Value("XDG_CACHE_HOME") ?? Path.Combine(Value("HOME") ?? Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
        var home = Value("HF_HOME") ?? Path.Combine(userCache, "huggingface");
        var endpoint = Value("HF_ENDPOINT");
        var options = new ModelCacheOptions
        {
            Folder = Value("HF_HUB_CACHE") ?? Value("HUGGINGFACE_HUB_CACHE") ?? Path.Combine(home, "hub"),
            Token = Value("HF_TOKEN") ?? Value("HUGGING_FACE_HUB_TOKEN") ?? ReadToken(Value("HF_TOKEN_PATH") ?? Path.Combine(home, "token")),
            Offline = (Value("HF_HUB_OFFLINE") ?? Value("TRANSFORMERS_OFFLINE"))?.ToUpperInvariant() is "1" or "ON" or "YES" or "TRUE",
        };
        if (endpoint is null)
        {
            return options;
        }

        return Uri.TryCreate(endpoint.TrimEnd('/'), UriKind.Absolute, out var address) && address.Scheme is "http" or "https"
            ? options with { Endpoint = address! }
            : throw new ArgumentException($"HF_ENDPOINT is '{endpoint}', expected an address that begins with http:// or https://");

        string? Value(string name) => get(name) is { Length: > 0 } value ? value.StartsWith("~/", StringComparison.Ordinal)
            ? Path.Combine(get("HOME") ?? Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), value[2..])
            : value : null;
    }

    private static string? ReadToken(string path)
    {
        try
        {
            return File.Exists(path) && File.ReadAllText(path).Trim() is { Length: > 0 } token ? token : null;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
