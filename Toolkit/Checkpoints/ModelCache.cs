using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Toolkit.Checkpoints;

/// <summary>
/// The models on this machine that Hugging Face's tools share: <c>models--org--name</c> with <c>refs</c> (a branch names a commit), <c>snapshots</c> (a folder for
/// every commit) and <c>blobs</c> (the files, by their hash). What another tool has downloaded is found here, and the other way round.
/// </summary>
public sealed partial class ModelCache
{
    private const int ConcurrentQuestions = 8;
    private static readonly string[] FileEndings = [".gguf", ".safetensors", ".bin", ".pt", ".json"];
    private readonly ModelCacheOptions _options;
    private readonly Func<HttpMessageHandler>? _handler;

    /// <summary>The cache of these options.</summary>
    /// <param name="options">Where it is, and where models come from.</param>
    /// <param name="handler">Makes what sends requests; null: .NET's own. It must not follow redirections.</param>
    public ModelCache(ModelCacheOptions options, Func<HttpMessageHandler>? handler = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        (_options, _handler) = (options, handler);
    }

    /// <summary>Where the cache is, and where models come from.</summary>
    public ModelCacheOptions Options => _options;

    /// <summary>The cache that the environment names: see <see cref="ModelCacheOptions"/>.</summary>
    public static ModelCache FromEnvironment() => new(ModelCacheOptions.FromEnvironment());

    /// <summary>Whether this is how a model is named: <c>org/name</c>, or for the oldest ones <c>name</c> alone.</summary>
    public static bool IsName(string name) => NamePattern().IsMatch(name) && !name.Contains("..", StringComparison.Ordinal) && !name.Contains("--", StringComparison.Ordinal) && name.Length <= 96;

    /// <summary>
    /// The folder of a model: what is there already, as a folder or file of that path or in the cache; else it is downloaded, unless the options say offline.
    /// What is in the cache is not compared with the server: <see cref="Download"/> does that.
    /// </summary>
    /// <param name="nameOrPath">A path, or a name such as <c>org/name</c>. What has the ending of a file of weights is a path, whether it is there or not.</param>
    /// <param name="revision">A branch, a tag or a commit.</param>
    /// <param name="progress">Told how far a download is.</param>
    /// <param name="cancellation">Ends a download; what is there is taken up again by the next one.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder, and the name is no model's.</exception>
    /// <exception cref="CheckpointException">The model is not there and cannot be downloaded.</exception>
    public string Resolve(string nameOrPath, string revision = "main", IProgress<DownloadProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(nameOrPath);
        if (Directory.Exists(nameOrPath) || File.Exists(nameOrPath) || FileEndings.Any(ending => nameOrPath.EndsWith(ending, StringComparison.OrdinalIgnoreCase)))
        {
            return nameOrPath;
        }

        if (!IsName(nameOrPath))
        {
            throw new DirectoryNotFoundException($"there is no folder '{nameOrPath}', and it is no name of a model (org/name)");
        }

        var found = Find(nameOrPath, revision) is { } snapshot && HubFiles.HoldsModel(snapshot) ? snapshot : null;
        if (found is not null && (_options.Offline || HubFiles.HoldsTokenizer(found)))
        {
            return found;
        }

        if (_options.Offline)
        {
            throw new CheckpointException($"there is no folder '{nameOrPath}', no model of that name at revision '{revision}' in {_options.Folder}, and HF_HUB_OFFLINE forbids to download it");
        }

        try
        {
            return Download(nameOrPath, revision, progress, cancellation);
        }
        catch (CheckpointException) when (found is not null)
        {
            return found; // weights without a tokenizer are enough for some
        }
        catch (CheckpointException problem)
        {
            throw new CheckpointException($"there is no folder '{nameOrPath}', nor such a model in {_options.Folder}; {problem.Message}", problem);
        }
    }

    /// <summary>The snapshot of a model that is in the cache, or null.</summary>
    /// <param name="name">The name, such as <c>org/name</c>.</param>
    /// <param name="revision">A branch, a tag or a commit.</param>
    /// <exception cref="ArgumentException">It is no name of a model.</exception>
    public string? Find(string name, string revision = "main")
    {
        var folder = FolderOf(name);
        var reference = Path.Combine(folder, "refs", Local(revision));
        var commit = CommitPattern().IsMatch(revision) ? revision : File.Exists(reference) ? File.ReadAllText(reference).Trim() : null;
        if (commit is null || !CommitPattern().IsMatch(commit))
        {
            return null;
        }

        var snapshot = Path.Combine(folder, "snapshots", commit);
        return Directory.Exists(snapshot) ? snapshot : null;
    }

    /// <summary>The models in the cache: names, newest snapshot and bytes.</summary>
    public IReadOnlyList<CachedModel> List()
    {
        if (!Directory.Exists(_options.Folder))
        {
            return [];
        }

        return
        [
            .. from folder in Directory.GetDirectories(_options.Folder, "models--*").Order(StringComparer.Ordinal)
            let name = Path.GetFileName(folder)["models--".Length..].Replace("--", "/", StringComparison.Ordinal)
            where IsName(name)
            select new CachedModel(name, Find(name), BytesOf(Path.Combine(folder, "blobs"))),
        ];
    }

    /// <summary>Downloads what is not there yet of a model: its configuration, tokenizer and weights. Every file is checked against its hash.</summary>
    /// <param name="name">The name, such as <c>org/name</c>.</param>
    /// <param name="revision">A branch, a tag or a commit.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellation">Ends it; what is there is taken up again by the next one.</param>
    /// <returns>The snapshot's folder.</returns>
    /// <exception cref="CheckpointException">There is no such model, it needs a token, a file is not what its hash says, or the server cannot be reached.</exception>
    public string Download(string name, string revision = "main", IProgress<DownloadProgress>? progress = null, CancellationToken cancellation = default)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, Interruption.Token);

        // On a thread of the pool: a caller's own synchronisation context would wait for itself.
        return Task.Run(() => DownloadAsync(name, revision, progress, either.Token), CancellationToken.None).GetAwaiter().GetResult();
    }

    /// <inheritdoc cref="Download"/>
    public async Task<string> DownloadAsync(string name, string revision = "main", IProgress<DownloadProgress>? progress = null, CancellationToken cancellation = default)
    {
        var folder = FolderOf(name);
        if (_options.Offline)
        {
            throw new CheckpointException($"{name} cannot be downloaded: HF_HUB_OFFLINE forbids it");
        }

        using var client = new HubClient(_options, _handler?.Invoke());
        var (commit, files) = await client.List(name, revision, cancellation).ConfigureAwait(false);
        var snapshot = Path.Combine(folder, "snapshots", commit);
        var missing = HubFiles.Select(name, files).Where(file => !File.Exists(InSnapshot(snapshot, file)));
        await Fetch(client, name, folder, snapshot, await Look(client, name, commit, missing, cancellation).ConfigureAwait(false), progress, cancellation).ConfigureAwait(false);

        // Last of all: who finds the branch finds all files.
        if (revision != commit)
        {
            var reference = Path.Combine(folder, "refs", Local(revision));
            Directory.CreateDirectory(Path.GetDirectoryName(reference)!);
            using var pending = PendingFile.Write(reference, 0, stream => stream.Write(Encoding.ASCII.GetBytes(commit)));
            pending.Commit();
        }

        return snapshot;
    }

    /// <summary>Hashes and lengths, the smallest file first: what is wrong with a model shows early.</summary>
    private static async Task<RemoteFile[]> Look(HubClient client, string name, string commit, IEnumerable<string> files, CancellationToken cancellation)
    {
        var found = new ConcurrentBag<RemoteFile>();
        var options = new ParallelOptions { MaxDegreeOfParallelism = ConcurrentQuestions, CancellationToken = cancellation };
        await System.Threading.Tasks.Parallel.ForEachAsync(files, options, async (file, token) => found.Add(await client.Look(name, commit, file, token).ConfigureAwait(false))).ConfigureAwait(false);
        return [.. found.OrderBy(file => file.Length ?? long.MaxValue).ThenBy(file => file.Name, StringComparer.Ordinal)];
    }

    private async Task Fetch(
        HubClient client, string name, string folder, string snapshot, RemoteFile[] files, IProgress<DownloadProgress>? progress, CancellationToken cancellation)
    {
        var blobs = Path.Combine(folder, "blobs");
        Directory.CreateDirectory(blobs);
        RequireRoom(blobs, name, files);
        var total = files.All(file => file.Length is not null) ? files.Sum(file => file.Length) : null;
        var before = 0L;
        for (var i = 0; i < files.Length; i++)
        {
            var (file, blob, start) = (files[i], Path.Combine(blobs, files[i].Hash), new DownloadProgress(name, files[i].Name, i + 1, files.Length, before, total));
            progress?.Report(start);
            using (await CacheLock.Take(Path.Combine(_options.Folder, ".locks", Path.GetFileName(folder), file.Hash + ".lock"), cancellation).ConfigureAwait(false))
            {
                // Another process may have fetched it meanwhile, or another revision has it.
                if (!File.Exists(blob))
                {
                    await client.Fetch(file, blob, bytes => progress?.Report(start with { Bytes = start.Bytes + bytes }), cancellation).ConfigureAwait(false);
                }

                Link(InSnapshot(snapshot, file.Name), blob);
            }

            before += file.Length ?? new FileInfo(blob).Length;
            progress?.Report(start with { Bytes = before });
        }
    }

    /// <summary>Says before the first byte that a disk is too small.</summary>
    private static void RequireRoom(string blobs, string name, RemoteFile[] files)
    {
        var needed = files.Where(file => !File.Exists(Path.Combine(blobs, file.Hash))).Sum(file => (double)((file.Length ?? 0) - Partial(file)));
        var free = new DriveInfo(Path.GetFullPath(blobs)).AvailableFreeSpace;
        if (needed > free)
        {
            throw new CheckpointException(string.Create(CultureInfo.InvariantCulture, $"{name} needs {needed / 1e6:N0} MB more, and the disk of {blobs} has {free / 1e6:N0} MB left"));
        }

        long Partial(RemoteFile file) => new FileInfo(Path.Combine(blobs, file.Hash + HubClient.Incomplete)) is { Exists: true } partial ? partial.Length : 0;
    }

    private static string InSnapshot(string snapshot, string file) => Path.Combine([snapshot, .. file.Split('/')]);

    /// <summary>A link, as Hugging Face's tools make it; a copy where the file system has none.</summary>
    private static void Link(string path, string blob)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        if (File.Exists(path))
        {
            return;
        }

        File.Delete(path); // a link that leads nowhere
        try
        {
            File.CreateSymbolicLink(path, Path.GetRelativePath(Path.GetDirectoryName(path)!, blob));
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or PlatformNotSupportedException)
        {
            File.Copy(blob, path + HubClient.Incomplete, overwrite: true);
            File.Move(path + HubClient.Incomplete, path, overwrite: true);
        }
    }

    private static long BytesOf(string folder) =>
        Directory.Exists(folder) ? new DirectoryInfo(folder).EnumerateFiles().Where(file => file.LinkTarget is null).Sum(file => file.Length) : 0;

    /// <summary>A branch may have slashes, but lead nowhere else.</summary>
    private static string Local(string revision) => RevisionPattern().IsMatch(revision) && !revision.Contains("..", StringComparison.Ordinal)
        ? revision.Replace('/', Path.DirectorySeparatorChar)
        : throw new ArgumentException($"'{revision}' is no branch, tag or commit", nameof(revision));

    private string FolderOf(string name) => IsName(name)
        ? Path.Combine(_options.Folder, "models--" + name.Replace("/", "--", StringComparison.Ordinal))
        : throw new ArgumentException($"'{name}' is no name of a model (org/name)", nameof(name));

    [GeneratedRegex(@"^[A-Za-z0-9_][\w.-]*(/[A-Za-z0-9_][\w.-]*)?\z", RegexOptions.ECMAScript)]
    private static partial Regex NamePattern();

    [GeneratedRegex(@"^[0-9a-f]{40}\z")]
    private static partial Regex CommitPattern();

    [GeneratedRegex(@"^\w[\w./-]*\z", RegexOptions.ECMAScript)]
    private static partial Regex RevisionPattern();
}

/// <summary>A model in the cache.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Folder">The folder of its main branch, or null where only other revisions are there.</param>
/// <param name="Bytes">Bytes of all its files, in all revisions.</param>
public sealed record CachedModel(string Name, string? Folder, long Bytes);
