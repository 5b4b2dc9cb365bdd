using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Toolkit.Tests.Checkpoints.Hub;

/// <summary>A request that a server got.</summary>
internal sealed record HubRequest(string Method, string Path, IReadOnlyDictionary<string, string> Headers)
{
    public string? Header(string name) => Headers.GetValueOrDefault(name);
}

/// <summary>Speaks HTTP as a Hugging Face server does, on this machine, and misbehaves where a test asks for it.</summary>
internal sealed class HubServer : IDisposable
{
    public const string Name = "org/tiny";
    public const string Commit = "0123456789abcdef0123456789abcdef01234567";

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new(); // without a timer it holds nothing
    private readonly ConcurrentQueue<HubRequest> _requests = [];

    public HubServer()
    {
        _listener.Start();
        Address = new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");
        _ = Serve();
    }

    public Uri Address { get; }

    /// <summary>The model's files. Those of *.safetensors and *.bin are large files: they go by SHA-256.</summary>
    public Dictionary<string, byte[]> Files { get; } = new(StringComparer.Ordinal);

    public string Revision { get; set; } = Commit;

    /// <summary>After how many bytes of a body a connection ends, one number a request for large files; then no more.</summary>
    public ConcurrentQueue<int> Cuts { get; } = [];

    /// <summary>Answers in place of the usual one: status and headers.</summary>
    public Func<HubRequest, (int Status, string Headers)?> Instead { get; set; } = _ => null;

    /// <summary>Where large files are: another server.</summary>
    public HubServer? Storage { get; set; }

    /// <summary>What the hash of large files is said to be.</summary>
    public string? WrongHash { get; set; }

    /// <summary>What their length is said to be.</summary>
    public long? WrongLength { get; set; }

    /// <summary>Whether parts of files are given.</summary>
    public bool GivesParts { get; set; } = true;

    /// <summary>Waited for in the middle of a large file.</summary>
    public Func<CancellationToken, Task> Between { get; set; } = _ => Task.CompletedTask;

    public IReadOnlyList<HubRequest> Requests => [.. _requests];

    public IEnumerable<HubRequest> Fetched(string file) => Requests.Where(request => request.Method == "GET" && request.Path.EndsWith("/" + file, StringComparison.Ordinal));

    public static bool IsLarge(string file) => file.EndsWith(".safetensors", StringComparison.Ordinal) || file.EndsWith(".bin", StringComparison.Ordinal);

    public static string HashOf(string file, byte[] content) => Convert.ToHexStringLower(IsLarge(file)
        ? SHA256.HashData(content)
        : SHA1.HashData([.. Encoding.ASCII.GetBytes($"blob {content.Length}\0"), .. content]));

    public void Dispose()
    {
        if (!_end.IsCancellationRequested)
        {
            _end.Cancel();
            _listener.Stop();
        }
    }

    private async Task Serve()
    {
        try
        {
            while (true)
            {
                _ = Answer(await _listener.AcceptTcpClientAsync(_end.Token));
            }
        }
        catch (Exception problem) when (problem is OperationCanceledException or SocketException or ObjectDisposedException)
        {
        }
    }

    private async Task Answer(TcpClient client)
    {
        using var _ = client;
        try
        {
            var stream = client.GetStream();
            if (await Read(stream) is { } request)
            {
                _requests.Enqueue(request);
                await Answer(stream, request);
                await stream.FlushAsync();
            }
        }
        catch (Exception problem) when (problem is IOException or OperationCanceledException or ObjectDisposedException)
        {
        }
    }

    private static async Task<HubRequest?> Read(NetworkStream stream)
    {
        var text = new StringBuilder();
        var one = new byte[1];
        while (!text.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            if (await stream.ReadAsync(one) == 0)
            {
                return null;
            }

            text.Append((char)one[0]);
        }

        var lines = text.ToString().Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        var first = lines[0].Split(' ');
        return new(first[0], first[1], lines.Skip(1).Select(line => line.Split(": ", 2)).ToDictionary(pair => pair[0], pair => pair[1], StringComparer.OrdinalIgnoreCase));
    }

    private async Task Answer(NetworkStream stream, HubRequest request)
    {
        if (Instead(request) is var (status, headers))
        {
            await Write(stream, status, headers + "Content-Length: 0\r\n");
        }
        else if (request.Path.StartsWith($"/api/models/{Name}/revision/", StringComparison.Ordinal))
        {
            var list = JsonSerializer.SerializeToUtf8Bytes(new { sha = Revision, siblings = Files.Keys.Select(file => new { rfilename = file }) });
            await Write(stream, 200, $"Content-Length: {list.Length}\r\n");
            await stream.WriteAsync(list);
        }
        else if (Files.Keys.Where(file => request.Path.EndsWith("/" + file, StringComparison.Ordinal)).MaxBy(file => file.Length) is { } file)
        {
            await AnswerFile(stream, request, file);
        }
        else
        {
            await Write(stream, 404, "X-Error-Code: RepoNotFound\r\nContent-Length: 0\r\n");
        }
    }

    private async Task AnswerFile(NetworkStream stream, HubRequest request, string file)
    {
        var (content, large) = (Files[file], IsLarge(file));
        var hash = large && WrongHash is { } wrong ? wrong : HashOf(file, content);
        if (large && Storage is not null)
        {
            await Write(stream, 302, $"Location: {Storage.Address}elsewhere/{file}\r\nX-Linked-Etag: \"{hash}\"\r\nX-Linked-Size: {content.Length}\r\nContent-Length: 0\r\n");
            return;
        }

        var from = GivesParts && request.Header("Range") is { } range ? int.Parse(range["bytes=".Length..^1], CultureInfo.InvariantCulture) : 0;
        var part = from > 0 ? $"Content-Range: bytes {from}-{content.Length - 1}/{content.Length}\r\n" : "";
        var linked = large && WrongLength is { } length ? $"X-Linked-Size: {length}\r\n" : "";
        await Write(stream, from > 0 ? 206 : 200, $"ETag: \"{hash}\"\r\nContent-Length: {content.Length - from}\r\n{part}{linked}");
        if (request.Method == "GET")
        {
            await Send(stream, content.AsMemory(from), large);
        }
    }

    private async Task Send(NetworkStream stream, ReadOnlyMemory<byte> body, bool large)
    {
        if (!large)
        {
            await stream.WriteAsync(body);
            return;
        }

        if (Cuts.TryDequeue(out var cut))
        {
            await stream.WriteAsync(body[..cut]);
            return;
        }

        await stream.WriteAsync(body[..(body.Length / 2)]);
        await stream.FlushAsync();
        await Between(_end.Token);
        await stream.WriteAsync(body[(body.Length / 2)..]);
    }

    private static async Task Write(NetworkStream stream, int status, string headers) =>
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {status} Status\r\n{headers}Connection: close\r\n\r\n"));
}
