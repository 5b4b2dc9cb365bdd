using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Toolkit.Checkpoints;

/// <summary>Speaks with a Hugging Face server: what files a model has, and the files themselves.</summary>
internal sealed partial class HubClient : IDisposable
{
    /// <summary>What stands behind the name of a file that is not whole, here as in Hugging Face's tools.</summary>
    public const string Incomplete = ".incomplete";

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
        var content = await Patiently(
            name,
            async () =>
            {
                using var answer = await Send(HttpMethod.Get, address, null, cancellation).ConfigureAwait(false);
                RequireSuccess(answer, name, $"revision '{revision}'");
                using var patience = Patience(cancellation);
                await answer.Content.LoadIntoBufferAsync(MostListBytes, patience.Token).ConfigureAwait(false);
                return await answer.Content.ReadAsByteArrayAsync(cancellation).ConfigureAwait(false);
            },
            cancellation).ConfigureAwait(false);
        try
        {
            using var json = JsonDocument.Parse(content);
            var commit = json.RootElement.GetProperty("sha").GetString() ?? "";
            var files = json.RootElement.GetProperty("siblings").EnumerateArray().Select(file => file.GetProperty("rfilename").GetString() ?? "").ToArray();
            return CommitPattern().IsMatch(commit) ? (commit, files) : throw new JsonException($"'{CheckpointException.Shorten(commit)}' is no commit");
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
    /// <exception cref="CheckpointException">The file is not what its hash says, the disk is full, or the server cannot be reached.</exception>
    public async Task Fetch(RemoteFile file, string path, Action<long> progress, CancellationToken cancellation)
    {
        var partial = path + Incomplete;
        await Patiently(
            file.Name,
            async () =>
            {
                await Continue(file, partial, progress, cancellation).ConfigureAwait(false);
                return true;
            },
            cancellation).ConfigureAwait(false);
        var actual = await BlobHash.Of(partial, file.Hash, cancellation).ConfigureAwait(false);
        if (actual is not null && actual != file.Hash)
        {
            File.Delete(partial);
            throw new CheckpointException($"{file.Address}: what came has the hash {actual}, the server says {file.Hash}; it was thrown away");
        }

        File.Move(partial, path, overwrite: true);
    }

    private async Task Continue(RemoteFile file, string path, Action<long> progress, CancellationToken cancellation)
    {
        await using var partial = PartialFile.Open(path);
        if (partial.Length == file.Length)
        {
            return;
        }

        if (partial.Length > file.Length)
        {
            partial.Empty(); // of something else
        }

        using var answer = await Send(HttpMethod.Get, file.Address, partial.Length > 0 ? partial.Length : null, cancellation).ConfigureAwait(false);
        if (answer.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
        {
            partial.Empty();
            throw new IOException("the server has no more of the file than is here already; it is fetched anew");
        }

        RequireSuccess(answer, file.Name, "the file");
        if (answer.StatusCode != HttpStatusCode.PartialContent || answer.Content.Headers.ContentRange?.From != partial.Length)
        {
            partial.Empty(); // the server sends the whole
        }

        await Receive(file, partial, answer, progress, cancellation).ConfigureAwait(false);
        if (file.Length is { } expected && partial.Length != expected)
        {
            throw new IOException($"the connection ended after {partial.Length} of {expected} bytes");
        }
    }

    private async Task Receive(RemoteFile file, PartialFile partial, HttpResponseMessage answer, Action<long> progress, CancellationToken cancellation)
    {
        using var body = await answer.Content.ReadAsStreamAsync(cancellation).ConfigureAwait(false);
        var buffer = new byte[1 << 17];
        while (await Read(body, buffer, cancellation).ConfigureAwait(false) is var count and > 0)
        {
            if (file.Length < partial.Length + count)
            {
                partial.Empty();
                throw new CheckpointException($"{file.Address}: more came than the {file.Length} bytes that the server said");
            }

            await partial.Append(buffer.AsMemory(0, count), cancellation).ConfigureAwait(false);
            progress(partial.Length);
        }
    }

    private async Task<int> Read(Stream body, byte[] buffer, CancellationToken cancellation)
    {
        using var patience = Patience(cancellation);
        return await body.ReadAsync(buffer, patience.Token).ConfigureAwait(false);
    }

    /// <summary>Ends a request from which nothing comes.</summary>
    private CancellationTokenSource Patience(CancellationToken cancellation)
    {
        var source = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        source.CancelAfter(_options.Patience);
        return source;
    }

    /// <summary>Tries again where a connection breaks or stands still, or a server is overloaded.</summary>
    private async Task<T> Patiently<T>(string name, Func<Task<T>> action, CancellationToken cancellation)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                return await action().ConfigureAwait(false);
            }
            catch (Exception problem) when (problem is HttpRequestException or IOException or OperationCanceledException && !cancellation.IsCancellationRequested)
            {
                if (attempt >= _options.Retries)
                {
                    var reason = problem is OperationCanceledException ? $"nothing came for {_options.Patience.TotalSeconds:0.#} s" : problem.Message;
                    throw new CheckpointException($"{name} cannot be downloaded from {_options.Endpoint.Authority}: {reason}", problem);
                }
            }

            await Task.Delay(_options.RetryDelay * (1 << Math.Min(attempt, 6)), cancellation).ConfigureAwait(false);
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
            using var patience = Patience(cancellation);
            var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token).ConfigureAwait(false);
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

        var (host, token) = (_options.Endpoint.Authority, _options.Token is not null);
        var said = Header(answer, "X-Error-Message") is { Length: > 0 } text ? $" ({CheckpointException.Shorten(text)})" : "";
        throw new CheckpointException((answer.StatusCode, Header(answer, "X-Error-Code")) switch
        {
            // The server says the same of what is not there and of what this caller may not see.
            (_, "RepoNotFound") => $"{name}: {host} has no model of that name, or it is private {(token ? "and this token does not open it" : "and needs a token: set HF_TOKEN")}{said}",
            (_, "RevisionNotFound") => $"{name}: {host} has no {what} of it{said}",
            (_, "GatedRepo") => $"{name}: its conditions must be accepted on {host} first{(token ? "" : ", and a token be set in HF_TOKEN")}{said}",
            (HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden, _) => $"{name}: {host} does not give {what} {(token ? "to the owner of this token" : "without a token: set HF_TOKEN")}{said}",
            (HttpStatusCode.NotFound, _) => $"{name}: {host} has no such model, or not {what}{said}",
            _ => $"{name}: {host} says {(int)answer.StatusCode} ({answer.ReasonPhrase}) when asked for {what}{said}",
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
