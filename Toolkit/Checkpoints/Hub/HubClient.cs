using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Toolkit.Checkpoints.Hub;

/// <summary>Speaks with a Hugging Face server: what files a model has, and the files themselves.</summary>
internal sealed partial class HubClient : IDisposable
{
    private const int MostRedirections = 8;
    private const long MostListBytes = 64 << 20;
    private readonly ModelCacheOptions _options;
    private readonly HttpClient _http;

    public HubClient(ModelCacheOptions options, HttpMessageHandler? handler)
    {
        _options = options;
        // Redirections are followed here: the token must not go to another host, and the hash stands in the first answer.
        _http = new HttpClient(handler ?? new SocketsHttpHandler { AllowAutoRedirect = false, ConnectTimeout = TimeSpan.FromSeconds(20) }) { Timeout = Timeout.InfiniteTimeSpan };
        _http.DefaultRequestHeaders.UserAgent.ParseAdd("toolkit/0.1");
    }

    public void Dispose() => _http.Dispose();

    /// <summary>The commit that a revision names, and the files that it has.</summary>
    /// <exception cref="CheckpointException">There is none, it needs a token, or the server cannot be reached.</exception>
    public async Task<(string Commit, IReadOnlyList<string> Files)> List(string name, string revision, CancellationToken cancellation)
    {
        var address = At($"api/models/{name}/revision/{Uri.EscapeDataString(revision)}");
        using var answer = await Patiently(name, () => Send(HttpMethod.Get, address, null, cancellation), cancellation).ConfigureAwait(false);
        RequireSuccess(answer, name, $"revision '{revision}'");
        if (answer.Content.Headers.ContentLength > MostListBytes)
        {
            throw new CheckpointException($"{address}: the list of files has {answer.Content.Headers.ContentLength} bytes");
        }

        try
        {
            using var json = JsonDocument.Parse(await answer.Content.ReadAsByteArrayAsync(cancellation).ConfigureAwait(false));
            var commit = json.RootElement.GetProperty("sha").GetString() ?? "";
            var files = json.RootElement.GetProperty("siblings").EnumerateArray().Select(file => file.GetProperty("rfilename").GetString() ?? "").ToArray();
            return CommitPattern().IsMatch(commit) ? (commit, files) : throw new JsonException($"'{commit}' is no commit");
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new CheckpointException($"{address}: the answer is no list of files: {problem.Message}", problem);
        }
    }

    /// <summary>Hash and length of a file, without the file.</summary>
    /// <exception cref="CheckpointException">There is none, it needs a token, or the server cannot be reached.</exception>
    public async Task<RemoteFile> Look(string name, string commit, string file, CancellationToken cancellation)
    {
        var address = At($"{name}/resolve/{commit}/{string.Join('/', file.Split('/').Select(Uri.EscapeDataString))}");
        using var answer = await Patiently(name, () => Send(HttpMethod.Head, address, null, cancellation, followElsewhere: false), cancellation).ConfigureAwait(false);
        if ((int)answer.StatusCode is < 300 or >= 400)
        {
            RequireSuccess(answer, name, file);
        }

        var hash = (Header(answer, "X-Linked-Etag") ?? answer.Headers.ETag?.Tag ?? Header(answer, "ETag"))?.Trim();
        hash = hash?.StartsWith("W/", StringComparison.Ordinal) == true ? hash[2..] : hash;
        hash = hash?.Trim('"') ?? throw new CheckpointException($"{address}: the server names no hash (ETag) of the file");
        var length = long.TryParse(Header(answer, "X-Linked-Size"), CultureInfo.InvariantCulture, out var linked) ? linked
            : (int)answer.StatusCode < 300 ? answer.Content.Headers.ContentLength : null;
        return HashPattern().IsMatch(hash) ? new RemoteFile(file, address, hash, length) : throw new CheckpointException($"{address}: '{hash}' is no hash of a file");
    }

    /// <summary>
    /// Fetches a file. What an earlier attempt left is taken up where it ended; the file is moved to its place when it is whole and is what its hash says.
    /// </summary>
    /// <exception cref="CheckpointException">The file is not what its hash says, another process is fetching it, or the server cannot be reached.</exception>
    public async Task Fetch(RemoteFile file, string path, Action<long> progress, CancellationToken cancellation)
    {
        var partial = path + ".incomplete";
        await Patiently(file.Name, async () =>
        {
            await Continue(file, partial, progress, cancellation).ConfigureAwait(false);
            return true;
        }, cancellation).ConfigureAwait(false);
        var actual = await HashOf(partial, file.Hash, cancellation).ConfigureAwait(false);
        if (actual is not null && actual != file.Hash)
        {
            File.Delete(partial);
            throw new CheckpointException($"{file.Address}: what came has the hash {actual}, the server says {file.Hash}; it was thrown away");
        }

        File.Move(partial, path, overwrite: true);
    }

    private async Task Continue(RemoteFile file, string partial, Action<long> progress, CancellationToken cancellation)
    {
        using var stream = OpenAlone(partial);
        stream.Seek(0, SeekOrigin.End);
        if (file.Length is { } whole && stream.Position >= whole)
        {
            if (stream.Position == whole)
            {
                return;
            }

            stream.SetLength(0); // longer than the file: of something else
        }

        var start = stream.Position;
        using var answer = await Send(HttpMethod.Get, file.Address, start > 0 ? start : null, cancellation).ConfigureAwait(false);
        if (answer.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
        {
            stream.SetLength(0);
            throw new IOException("the server has no more of the file than is here already; it is fetched anew");
        }

        RequireSuccess(answer, file.Name, "the file");
        if (answer.StatusCode != HttpStatusCode.PartialContent || answer.Content.Headers.ContentRange?.From != start)
        {
            stream.SetLength(0); // the server sends the whole
        }

        using var body = await answer.Content.ReadAsStreamAsync(cancellation).ConfigureAwait(false);
        var buffer = new byte[1 << 17];
        int count;
        while ((count = await body.ReadAsync(buffer, cancellation).ConfigureAwait(false)) > 0)
        {
            if (file.Length < stream.Position + count)
            {
                stream.SetLength(0);
                throw new CheckpointException($"{file.Address}: more came than the {file.Length} bytes that the server said");
            }

            await stream.WriteAsync(buffer.AsMemory(0, count), cancellation).ConfigureAwait(false);
            progress(stream.Position);
        }

        await stream.FlushAsync(cancellation).ConfigureAwait(false);
        if (file.Length is { } expected && stream.Position != expected)
        {
            throw new IOException($"the connection ended after {stream.Position} of {expected} bytes");
        }
    }

    private static FileStream OpenAlone(string path)
    {
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, useAsync: true);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException($"{path}: cannot be written, or another process is writing it: {problem.Message}", problem);
        }
    }

    /// <summary>The hash of a file in the form of the expected one: SHA-256, or git's SHA-1; null for a hash of another form.</summary>
    private static async Task<string?> HashOf(string path, string expected, CancellationToken cancellation)
    {
        using var stream = File.OpenRead(path);
        if (expected.Length == 64)
        {
            return Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellation).ConfigureAwait(false));
        }

        if (expected.Length != 40)
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

    /// <summary>Tries again where a connection breaks or a server is overloaded.</summary>
    private async Task<T> Patiently<T>(string name, Func<Task<T>> action, CancellationToken cancellation)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                return await action().ConfigureAwait(false);
            }
            catch (Exception problem) when (problem is HttpRequestException or IOException && problem is not CheckpointException && !cancellation.IsCancellationRequested)
            {
                if (attempt >= _options.Retries)
                {
                    throw new CheckpointException($"{name} cannot be downloaded from {_options.Endpoint}: {problem.Message}", problem);
                }
            }

            await Task.Delay(_options.RetryDelay * (1 << attempt), cancellation).ConfigureAwait(false);
        }
    }

    private async Task<HttpResponseMessage> Send(HttpMethod method, Uri address, long? from, CancellationToken cancellation, bool followElsewhere = true)
    {
        for (var hop = 0; hop < MostRedirections; hop++)
        {
            using var request = new HttpRequestMessage(method, address);
            if (_options.Token is { } token && address.Host == _options.Endpoint.Host && address.Port == _options.Endpoint.Port && address.Scheme == _options.Endpoint.Scheme)
            {
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            }

            request.Headers.Range = from is { } start ? new RangeHeaderValue(start, null) : null;
            request.Headers.AcceptEncoding.ParseAdd("identity"); // lengths and hashes are those of the file itself
            var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation).ConfigureAwait(false);
            if (answer.StatusCode is HttpStatusCode.TooManyRequests or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout)
            {
                answer.Dispose();
                throw new HttpRequestException($"{address.Host} says {(int)answer.StatusCode} ({answer.ReasonPhrase})");
            }

            var target = (int)answer.StatusCode is >= 300 and < 400 ? answer.Headers.Location : null;
            if (target is null || (!followElsewhere && target.IsAbsoluteUri && target.Host != address.Host))
            {
                return answer;
            }

            // A redirection to another place on the same server, such as a model's new name, is another question; one to a storage server is the answer.
            if (!followElsewhere && Header(answer, "X-Linked-Etag") is not null)
            {
                return answer;
            }

            answer.Dispose();
            address = new Uri(address, target);
            if (address.Scheme is not ("http" or "https") || (_options.Endpoint.Scheme == "https" && address.Scheme == "http"))
            {
                throw new CheckpointException($"{_options.Endpoint}: a redirection to {address} is not followed");
            }
        }

        throw new CheckpointException($"{address}: more than {MostRedirections} redirections");
    }

    private void RequireSuccess(HttpResponseMessage answer, string name, string what)
    {
        if (answer.IsSuccessStatusCode)
        {
            return;
        }

        var reason = Header(answer, "X-Error-Message") is { Length: > 0 } said ? $" ({said})" : "";
        throw new CheckpointException(answer.StatusCode switch
        {
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden =>
                $"{name}: {_options.Endpoint.Host} does not give {what} to {(_options.Token is null ? "somebody without a token: set HF_TOKEN" : "the owner of this token; perhaps its conditions must be accepted there first")}{reason}",
            HttpStatusCode.NotFound => $"{name}: {_options.Endpoint.Host} has no such model, or not {what}{reason}",
            _ => $"{name}: {_options.Endpoint.Host} says {(int)answer.StatusCode} ({answer.ReasonPhrase}) when asked for {what}{reason}",
        });
    }

    private Uri At(string path) => new($"{_options.Endpoint.ToString().TrimEnd('/')}/{path}");

    private static string? Header(HttpResponseMessage answer, string name) =>
        answer.Headers.TryGetValues(name, out var values) || answer.Content.Headers.TryGetValues(name, out values) ? values.FirstOrDefault() : null;

    [GeneratedRegex(@"^[0-9a-f]{40}\z")]
    private static partial Regex CommitPattern();

    [GeneratedRegex(@"^[\w-]{8,128}\z", RegexOptions.ECMAScript)]
    private static partial Regex HashPattern();
}
