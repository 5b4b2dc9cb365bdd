using System.Runtime.InteropServices;
using System.Text;
using Toolkit.Checkpoints;

namespace Toolkit.Tests.Checkpoints.Hub;

/// <summary>Models by name: found in the cache, downloaded from a server on this machine.</summary>
public sealed class ModelCacheTests : IDisposable
{
    private const string Weights = "model.safetensors";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("model-cache");
    private readonly HubServer _server = new();

    public ModelCacheTests()
    {
        _server.Files["config.json"] = Encoding.UTF8.GetBytes("""{"model_type":"llama"}""");
        _server.Files["tokenizer.json"] = Encoding.UTF8.GetBytes("{}");
        _server.Files[Weights] = Content(300_000);
    }

    private string Folder => _folder.FullName;

    private string Repository => Path.Combine(Folder, "models--org--tiny");

    private string Snapshot => Path.Combine(Repository, "snapshots", HubServer.Commit);

    public void Dispose()
    {
        _server.Dispose();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public void ADownloadHasTheLayoutOfHuggingFacesTools()
    {
        _server.Files["pytorch_model.bin"] = Content(10);
        _server.Files["flax_model.msgpack"] = Content(10);
        _server.Files["1_Pooling/config.json"] = Content(20);
        _server.Files["README.md"] = Content(10);
        var reports = new List<DownloadProgress>();
        var snapshot = Cache().Resolve(HubServer.Name, progress: new Listener(reports.Add));

        Assert.Equal(Snapshot, snapshot);
        Assert.Equal(HubServer.Commit, File.ReadAllText(Path.Combine(Repository, "refs", "main")));
        Assert.Equal(["1_Pooling/config.json", "config.json", Weights, "tokenizer.json"], Names(snapshot));
        foreach (var name in Names(snapshot))
        {
            var file = new FileInfo(Path.Combine(snapshot, name));
            Assert.Equal(_server.Files[name], File.ReadAllBytes(file.FullName));
            var up = string.Concat(Enumerable.Repeat("../", 2 + name.Count(letter => letter == '/')));
            Assert.Equal($"{up}blobs/{HubServer.HashOf(name, _server.Files[name])}", file.LinkTarget);
        }

        Assert.Equal(4, Directory.GetFiles(Path.Combine(Repository, "blobs")).Length);
        var total = Names(snapshot).Sum(name => (long)_server.Files[name].Length);
        Assert.All(reports, report => Assert.Equal((HubServer.Name, 4, total), (report.Model, report.Files, report.TotalBytes)));
        Assert.Equal((Weights, 4, total), (reports[^1].File, reports[^1].FileNumber, reports[^1].Bytes));
        Assert.True(reports.Zip(reports.Skip(1)).All(pair => pair.First.Bytes <= pair.Second.Bytes));
        var model = Assert.Single(Cache().List());
        Assert.Equal((HubServer.Name, snapshot, total), (model.Name, model.Folder, model.Bytes));
    }

    [Fact]
    public void WhatIsThereIsNotAskedForAgain()
    {
        Cache().Resolve(HubServer.Name);
        var before = _server.Requests.Count;
        Assert.Equal(Snapshot, Cache().Resolve(HubServer.Name));
        Assert.Equal(Snapshot, Cache().Resolve(HubServer.Name, HubServer.Commit));
        Assert.Equal(before, _server.Requests.Count);

        // Asked whether there is something new, the server names the same commit.
        Assert.Equal(Snapshot, Cache().Download(HubServer.Name));
        Assert.Equal(before + 1, _server.Requests.Count);
    }

    [Fact]
    public void ANewCommitFetchesOnlyWhatChanged()
    {
        Cache().Download(HubServer.Name);
        _server.Revision = new string('a', 40);
        _server.Files["config.json"] = Encoding.UTF8.GetBytes("""{"model_type":"llama","changed":true}""");
        var snapshot = Cache().Download(HubServer.Name);
        Assert.EndsWith(_server.Revision, snapshot, StringComparison.Ordinal);
        Assert.Equal((2, 1), (_server.Fetched("config.json").Count(), _server.Fetched(Weights).Count()));
        Assert.Equal(_server.Files[Weights], File.ReadAllBytes(Path.Combine(snapshot, Weights)));
        Assert.Equal(snapshot, Cache().Find(HubServer.Name));
        Assert.Equal(Snapshot, Cache().Find(HubServer.Name, HubServer.Commit));
    }

    [Fact]
    public void ACutConnectionIsTakenUpWhereItEnded()
    {
        _server.Cuts.Enqueue(100_000);
        _server.Cuts.Enqueue(50_000);
        Cache().Download(HubServer.Name);
        Assert.Equal(_server.Files[Weights], File.ReadAllBytes(Path.Combine(Snapshot, Weights)));
        Assert.Equal([null, "bytes=100000-", "bytes=150000-"], _server.Fetched(Weights).Select(request => request.Header("Range")));
    }

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 1)] // the server sends the whole file nevertheless
    [InlineData(true, 300_001)] // more is there than the file has
    public void WhatAnEarlierProcessLeftIsTakenUp(bool parts, int length)
    {
        _server.GivesParts = parts;
        var partial = Blob(Weights) + ".incomplete";
        Directory.CreateDirectory(Path.GetDirectoryName(partial)!);
        File.WriteAllBytes(partial, [.. _server.Files[Weights].Append((byte)0).Take(length)]);
        Cache().Download(HubServer.Name);
        Assert.Equal(_server.Files[Weights], File.ReadAllBytes(Path.Combine(Snapshot, Weights)));
        Assert.Equal(length == 1 ? "bytes=1-" : null, Assert.Single(_server.Fetched(Weights)).Header("Range"));
        Assert.False(File.Exists(partial));
    }

    [Fact]
    public void AConnectionThatIsCutTooOftenIsTold()
    {
        for (var i = 0; i < 3; i++)
        {
            _server.Cuts.Enqueue(1);
        }

        Told("model.safetensors cannot be downloaded", Options with { Retries = 2 });
        Assert.Null(Cache().Find(HubServer.Name));
        Assert.Equal(Snapshot, Cache().Resolve(HubServer.Name));
        Assert.Equal("bytes=3-", _server.Fetched(Weights).Last().Header("Range"));
    }

    [Theory]
    [InlineData(64)]
    [InlineData(40)]
    public void AFileOfAnotherHashIsThrownAway(int digits)
    {
        _server.WrongHash = new string('b', digits);
        Told($"the server says {_server.WrongHash}; it was thrown away");
        Assert.False(File.Exists(Path.Combine(Snapshot, Weights)));
        Assert.DoesNotContain(Directory.GetFiles(Path.Combine(Repository, "blobs")), file => Path.GetFileName(file).StartsWith('b'));
        Assert.Null(Cache().Find(HubServer.Name));
        _server.WrongHash = null;
        Assert.Equal(_server.Files[Weights], File.ReadAllBytes(Path.Combine(Cache().Resolve(HubServer.Name), Weights)));
    }

    [Theory]
    [InlineData(401, "X-Error-Code: RepoNotFound\r\n", "has no model of that name, or it is private and needs a token: set HF_TOKEN")]
    [InlineData(401, "X-Error-Code: GatedRepo\r\nX-Error-Message: Access is restricted.\r\n", "its conditions must be accepted on 127.0.0.1")]
    [InlineData(403, "", "does not give revision 'main' without a token: set HF_TOKEN")]
    [InlineData(404, "", "has no such model, or not revision 'main'")]
    [InlineData(404, "X-Error-Code: RevisionNotFound\r\n", "has no revision 'main' of it")]
    [InlineData(500, "", "says 500")]
    [InlineData(503, "", "says 503")]
    public void WhatTheServerRefusesIsToldInALine(int status, string headers, string expected)
    {
        _server.Instead = _ => (status, headers);
        Told(expected);
        Assert.Equal(status == 503 ? 1 + Options.Retries : 1, _server.Requests.Count);
    }

    [Fact]
    public void TheTokenOfAnotherIsToldApart()
    {
        _server.Instead = _ => (401, "");
        Assert.DoesNotContain("secret", Told("does not give revision 'main' to the owner of this token", Options with { Token = "secret" }), StringComparison.Ordinal);
        Assert.Equal("Bearer secret", _server.Requests[0].Header("Authorization"));
    }

    [Fact]
    public void ARedirectionToAnotherHostCarriesNoToken()
    {
        using var storage = new HubServer();
        storage.Files[Weights] = _server.Files[Weights];
        _server.Storage = storage;
        storage.Cuts.Enqueue(1000);
        Cache(Options with { Token = "secret" }).Download(HubServer.Name);
        Assert.Equal(_server.Files[Weights], File.ReadAllBytes(Path.Combine(Snapshot, Weights)));
        Assert.All(_server.Requests, request => Assert.Equal("Bearer secret", request.Header("Authorization")));
        Assert.Equal(2, storage.Requests.Count);
        Assert.All(storage.Requests, request => Assert.Null(request.Header("Authorization")));
        Assert.Equal("bytes=1000-", storage.Requests[1].Header("Range"));
    }

    [Fact]
    public void ARedirectionOnTheSameHostIsFollowedWithTheToken()
    {
        _server.Instead = request => request.Path.StartsWith("/api/models/old/", StringComparison.Ordinal) ? (307, $"Location: {request.Path.Replace("/old/name/", $"/{HubServer.Name}/", StringComparison.Ordinal)}\r\n")
            : request.Path.StartsWith("/old/name/", StringComparison.Ordinal) ? (307, $"Location: {request.Path.Replace("/old/name/", $"/{HubServer.Name}/", StringComparison.Ordinal)}\r\n") : null;
        Cache(Options with { Token = "secret" }).Download("old/name");
        Assert.NotNull(Cache().Find("old/name"));
        Assert.All(_server.Requests, request => Assert.Equal("Bearer secret", request.Header("Authorization")));
        _server.Instead = request => (302, $"Location: {request.Path}x\r\n");
        Told("redirections");
    }

    [Fact]
    public void OfflineNothingIsAskedFor()
    {
        var offline = Options with { Offline = true };
        Told("HF_HUB_OFFLINE forbids", offline);
        Assert.Contains("HF_HUB_OFFLINE", Assert.Throws<CheckpointException>(() => Cache(offline).Download(HubServer.Name)).Message, StringComparison.Ordinal);
        Assert.Empty(_server.Requests);
        Cache().Download(HubServer.Name);
        var before = _server.Requests.Count;
        Assert.Equal(Snapshot, Cache(offline).Resolve(HubServer.Name));
        Assert.Equal(before, _server.Requests.Count);
    }

    [Fact]
    public void WithoutANetworkThatIsTold()
    {
        var address = _server.Address;
        _server.Dispose();
        Assert.Contains("refused", Told($"org/tiny cannot be downloaded from {address.Authority}"), StringComparison.Ordinal);
    }

    [Fact]
    public void AServerThatStandsStillIsAskedAgain()
    {
        var times = 0;
        _server.Between = token => Interlocked.Increment(ref times) == 1 ? Task.Delay(Timeout.Infinite, token) : Task.CompletedTask;
        Cache(Options with { Patience = TimeSpan.FromMilliseconds(300) }).Download(HubServer.Name);
        Assert.Equal(2, _server.Fetched(Weights).Count());
        Assert.Equal(_server.Files[Weights], File.ReadAllBytes(Path.Combine(Snapshot, Weights)));
    }

    [Fact]
    public async Task ACancelledDownloadIsTakenUpByTheNext()
    {
        using var cancellation = new CancellationTokenSource();
        _server.Between = token => Task.Delay(Timeout.Infinite, token);
        var listener = new Listener(report =>
        {
            if (report.Bytes > 150_000)
            {
                cancellation.Cancel();
            }
        });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Cache().DownloadAsync(HubServer.Name, progress: listener, cancellation: cancellation.Token));
        Assert.Equal(150_000, new FileInfo(Blob(Weights) + ".incomplete").Length);
        Assert.Null(Cache().Find(HubServer.Name));
        _server.Between = _ => Task.CompletedTask;
        Cache().Download(HubServer.Name);
        Assert.Equal("bytes=150000-", _server.Fetched(Weights).Last().Header("Range"));
        Assert.Equal(_server.Files[Weights], File.ReadAllBytes(Path.Combine(Snapshot, Weights)));
    }

    [Fact]
    public async Task TwoDownloadsFetchAFileOnce()
    {
        _server.Between = token => Task.Delay(200, token);
        await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => Cache().DownloadAsync(HubServer.Name)));
        Assert.Single(_server.Fetched(Weights));
        Assert.Equal(_server.Files[Weights], File.ReadAllBytes(Path.Combine(Snapshot, Weights)));
    }

    [Fact]
    public async Task WhoComesSecondWaitsForTheLock()
    {
        var path = Path.Combine(Folder, ".locks", "models--org--tiny", Path.GetFileName(Blob(Weights)) + ".lock");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        Task<string> download;
        using (new FileStream(path, FileMode.Create, FileAccess.ReadWrite, FileShare.None))
        {
            download = Cache().DownloadAsync(HubServer.Name);
            await Task.Delay(300);
            Assert.False(download.IsCompleted);
            Assert.Empty(_server.Fetched(Weights));
        }

        Assert.Equal(Snapshot, await download);
    }

    [Fact]
    public void AFullDiskIsToldAndNotTakenForTheNetwork()
    {
        _server.WrongLength = 1L << 60;
        Assert.Contains("MB left", Told("org/tiny needs 1,152,921,504,607 MB more"), StringComparison.Ordinal);
        _server.WrongLength = null;
        Assert.SkipUnless(RuntimeInformation.IsOSPlatform(OSPlatform.Linux), "there is no /dev/full");
        Directory.CreateDirectory(Path.Combine(Repository, "blobs"));
        File.CreateSymbolicLink(Blob(Weights) + ".incomplete", "/dev/full");
        Assert.Contains("No space left", Told("it cannot be written"), StringComparison.Ordinal);
        Assert.Single(_server.Fetched(Weights));
    }

    [Theory]
    [InlineData("model-00001-of-00002.safetensors,model-00002-of-00002.safetensors,model.safetensors.index.json,pytorch_model.bin", "model-00001-of-00002.safetensors,model-00002-of-00002.safetensors,model.safetensors.index.json")]
    [InlineData("pytorch_model.bin,training_args.bin,model.fp16.safetensors", "pytorch_model.bin")]
    [InlineData("model.safetensors,model-00001-of-00001.safetensors,model.safetensors.index.json", "model.safetensors")]
    public void OnlyTheWeightsThatAreOpenedAreFetched(string files, string expected)
    {
        _server.Files.Remove(Weights);
        foreach (var file in files.Split(','))
        {
            _server.Files[file] = file.EndsWith(".json", StringComparison.Ordinal)
                ? Encoding.UTF8.GetBytes("""{"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}}""")
                : Content(10);
        }

        var snapshot = Cache().Resolve(HubServer.Name);
        Assert.Equal([.. expected.Split(',')], Names(snapshot).Where(name => name is not ("config.json" or "tokenizer.json")));

        // A shard that is missing is fetched, whoever left it out.
        var before = _server.Requests.Count;
        File.Delete(Path.Combine(snapshot, expected.Split(',')[0]));
        Assert.Equal(snapshot, Cache().Resolve(HubServer.Name));
        Assert.True(_server.Requests.Count > before);
        Assert.True(File.Exists(Path.Combine(snapshot, expected.Split(',')[0])));
    }

    [Fact]
    public void AModelWithoutWeightsThatCanBeOpenedIsNamed()
    {
        _server.Files.Remove(Weights);
        _server.Files["tiny.Q4_0.gguf"] = Content(10);
        Told("org/tiny has no weights as safetensors or pytorch_model.bin; it has config.json, tokenizer.json, tiny.Q4_0.gguf");
        _server.Files[Weights] = Content(10);
        _server.Files.Remove("config.json");
        Told("org/tiny has no config.json");
    }

    [Theory]
    [InlineData("../../../evil")]
    [InlineData("0123")]
    public void ACommitThatIsNoneIsRefused(string commit)
    {
        _server.Revision = commit;
        Told("is no commit");
        Assert.Empty(Directory.GetFileSystemEntries(Folder));
    }

    [Theory]
    [InlineData("../../evil")]
    [InlineData("0123/../../../evil")]
    public void AHashThatLeadsElsewhereIsRefused(string hash)
    {
        _server.WrongHash = hash;
        Told("is no hash of a file");
    }

    [Theory]
    [InlineData("gpt2", true)]
    [InlineData("HuggingFaceTB/SmolLM2-135M-Instruct", true)]
    [InlineData("a/b/c", false)]
    [InlineData("/etc/passwd", false)]
    [InlineData("../up", false)]
    [InlineData("org/..", false)]
    [InlineData("./model", false)]
    [InlineData("org/a--b", false)]
    [InlineData("org\\name", false)]
    [InlineData("", false)]
    public void NamesOfModelsAreToldFromPaths(string name, bool expected) => Assert.Equal(expected, ModelCache.IsName(name));

    [Fact]
    public void PathsStayWhatTheyAre()
    {
        Assert.Equal(Folder, Cache().Resolve(Folder));
        Assert.Equal("missing.gguf", Cache().Resolve("missing.gguf"));
        Assert.Contains("there is no folder './missing'", Assert.Throws<DirectoryNotFoundException>(() => Cache().Resolve("./missing")).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => Cache().Find(HubServer.Name, "../../../etc"));
        Assert.Empty(_server.Requests);
    }

    [Fact]
    public void TheEnvironmentSaysWhereModelsAre()
    {
        File.WriteAllText(Path.Combine(Folder, "token"), " from-file \n");
        Assert.Equal(Path.Combine("/h", ".cache", "huggingface", "hub"), Of(("HOME", "/h")).Folder);
        Assert.Equal(Path.Combine("/x", "huggingface", "hub"), Of(("HOME", "/h"), ("XDG_CACHE_HOME", "/x")).Folder);
        Assert.Equal(Path.Combine("/h", "mine", "hub"), Of(("HOME", "/h"), ("HF_HOME", "~/mine")).Folder);
        Assert.Equal("/b", Of(("HF_HOME", "/a"), ("HUGGINGFACE_HUB_CACHE", "/b")).Folder);
        Assert.Equal("/c", Of(("HF_HOME", "/a"), ("HUGGINGFACE_HUB_CACHE", "/b"), ("HF_HUB_CACHE", "/c")).Folder);
        Assert.Equal("from-file", Of(("HF_HOME", Folder)).Token);
        Assert.Equal("mine", Of(("HF_HOME", Folder), ("HF_TOKEN", "mine")).Token);
        Assert.Null(Of(("HF_HOME", Path.Combine(Folder, "none"))).Token);
        Assert.Equal((true, true, false, false), (Of(("HF_HUB_OFFLINE", "1")).Offline, Of(("HF_HUB_OFFLINE", "true")).Offline, Of(("HF_HUB_OFFLINE", "0")).Offline, Of().Offline));
        Assert.Equal("mirror.example:8080", Of(("HF_ENDPOINT", "http://mirror.example:8080/")).Endpoint.Authority);
        Assert.Contains("HF_ENDPOINT", Assert.Throws<ArgumentException>(() => Of(("HF_ENDPOINT", "ftp://x"))).Message, StringComparison.Ordinal);

        static ModelCacheOptions Of(params (string Name, string Value)[] variables) =>
            ModelCacheOptions.FromEnvironment(name => variables.Where(variable => variable.Name == name).Select(variable => variable.Value).FirstOrDefault());
    }

    private ModelCacheOptions Options => new() { Folder = Folder, Endpoint = _server.Address, Retries = 3, RetryDelay = TimeSpan.FromMilliseconds(1) };

    private ModelCache Cache(ModelCacheOptions? options = null) => new(options ?? Options);

    private string Told(string expected, ModelCacheOptions? options = null)
    {
        var message = Assert.Throws<CheckpointException>(() => Cache(options).Resolve(HubServer.Name)).Message;
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
        return message;
    }

    private string Blob(string file) => Path.Combine(Repository, "blobs", HubServer.HashOf(file, _server.Files[file]));

    private static IEnumerable<string> Names(string snapshot) =>
        Directory.GetFiles(snapshot, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(snapshot, file).Replace('\\', '/')).Order(StringComparer.Ordinal);

    private static byte[] Content(int length)
    {
        var content = new byte[length];
        new Random(length).NextBytes(content);
        return content;
    }

    private sealed class Listener(Action<DownloadProgress> heard) : IProgress<DownloadProgress>
    {
        public void Report(DownloadProgress value) => heard(value);
    }
}
