using System.Text.RegularExpressions;
using Toolkit.Checkpoints.Hub;

namespace Toolkit.Checkpoints;

/// <summary>
/// The models on this machine that Hugging Face's tools share: <c>models--org--name</c> with <c>refs</c> (a branch names a commit), <c>snapshots</c> (a folder for
/// every commit) and <c>blobs</c> (the files, by their hash). What another tool has downloaded is found here, and the other way round.
/// </summary>
public sealed partial class ModelCache
{
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
    /// </summary>
    /// <param name="nameOrPath">A path, or a name such as <c>org/name</c>.</param>
    /// <param name="revision">A branch, a tag or a commit.</param>
    /// <param name="progress">Told how far a download is.</param>
    /// <param name="cancellation">Ends a download; what is there is taken up again by the next one.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder, and the name is no model's.</exception>
    /// <exception cref="CheckpointException">The model is not there and cannot be downloaded.</exception>
    public string Resolve(string nameOrPath, string revision = "main", IProgress<DownloadProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(nameOrPath);
        if (Directory.Exists(nameOrPath) || File.Exists(nameOrPath))
        {
            return nameOrPath;
        }

        if (!IsName(nameOrPath))
        {
            throw new DirectoryNotFoundException($"there is no folder '{nameOrPath}', and it is no name of a model (org/name)");
        }

        if (Find(nameOrPath, revision) is { } found && HoldsModel(found))
        {
            return found;
        }

        return _options.Offline
            ? throw new CheckpointException($"there is no folder '{nameOrPath}', no model of that name at revision '{revision}' in {_options.Folder}, and HF_HUB_OFFLINE forbids to download it")
            : Download(nameOrPath, revision, progress, cancellation);
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
    public string Download(string name, string revision = "main", IProgress<DownloadProgress>? progress = null, CancellationToken cancellation = default) =>
        // On a thread of the pool: a caller's own synchronisation context would wait for itself.
        Task.Run(() => DownloadAsync(name, revision, progress, cancellation), CancellationToken.None).GetAwaiter().GetResult();

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
        var wanted = HubFiles.Select(files);
        var snapshot = Path.Combine(folder, "snapshots", commit);
        for (var i = 0; i < wanted.Count; i++)
        {
            await Fetch(client, name, commit, folder, snapshot, wanted[i], new DownloadProgress(wanted[i], i + 1, wanted.Count, 0, null), progress, cancellation).ConfigureAwait(false);
        }

        // Last of all: who finds the branch finds all files.
        if (revision != commit)
        {
            var reference = Path.Combine(folder, "refs", Local(revision));
            Directory.CreateDirectory(Path.GetDirectoryName(reference)!);
            await File.WriteAllTextAsync(reference, commit, cancellation).ConfigureAwait(false);
        }

        return snapshot;
    }

    private static async Task Fetch(
        HubClient client, string name, string commit, string folder, string snapshot, string file, DownloadProgress start, IProgress<DownloadProgress>? progress, CancellationToken cancellation)
    {
        var path = Path.Combine([snapshot, .. file.Split('/')]);
        if (File.Exists(path))
        {
            return;
        }

        var remote = await client.Look(name, commit, file, cancellation).ConfigureAwait(false);
        var blob = Path.Combine(folder, "blobs", remote.Hash);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        Directory.CreateDirectory(Path.GetDirectoryName(blob)!);
        if (!File.Exists(blob))
        {
            await client.Fetch(remote, blob, bytes => progress?.Report(start with { Bytes = bytes, TotalBytes = remote.Length }), cancellation).ConfigureAwait(false);
        }

        Link(path, blob);
    }

    /// <summary>A link, as Hugging Face's tools make it; a copy where the file system has none.</summary>
    private static void Link(string path, string blob)
    {
        File.Delete(path); // a link that leads nowhere
        try
        {
            File.CreateSymbolicLink(path, Path.GetRelativePath(Path.GetDirectoryName(path)!, blob));
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or PlatformNotSupportedException)
        {
            File.Copy(blob, path);
        }
    }

    /// <summary>Another tool may have fetched no more than a configuration.</summary>
    private static bool HoldsModel(string snapshot) =>
        File.Exists(Path.Combine(snapshot, "config.json"))
        && Directory.EnumerateFiles(snapshot).Any(file => HubFiles.IsWeights(Path.GetFileName(file)) && File.Exists(file))
        && !HubFiles.MissingShards(snapshot).Any();

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
