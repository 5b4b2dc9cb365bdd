using System.Globalization;
using System.Text.RegularExpressions;
using static TorchSharp.torch;

namespace Toolkit.Checkpoints;

/// <summary>The named tensors of a model: a folder in the Hugging Face layout (one file, or shards and an index of them), or a single file of any format.</summary>
public sealed partial class Checkpoint : IDisposable
{
    internal const string SingleFile = "model.safetensors";
    internal const string IndexFile = "model.safetensors.index.json";
    private const string IndexSuffix = ".index.json";

    // Safetensors first: they are mapped without a copy, and nothing in them needs interpreting.
    private static readonly string[] FolderFiles = [SingleFile, IndexFile, TorchFile.SingleFile, TorchFile.IndexFile];

    private readonly string _path;
    private readonly Dictionary<string, ITensorFile> _files;
    private readonly Dictionary<string, ITensorFile> _fileOf;

    private Checkpoint(string path, Dictionary<string, ITensorFile> files, Dictionary<string, ITensorFile> fileOf)
    {
        _path = path;
        _files = files;
        _fileOf = fileOf;
        Names = [.. fileOf.Keys.Order(StringComparer.Ordinal)];
    }

    /// <summary>The names of all tensors, sorted; with an index, those that it lists.</summary>
    public IReadOnlyCollection<string> Names { get; }

    /// <summary>The file or index that was opened.</summary>
    public string Path => _path;

    /// <summary>
    /// Opens a folder (model.safetensors, model.safetensors.index.json, pytorch_model.bin or pytorch_model.bin.index.json, the first of these that it has),
    /// a file (*.gguf, *.bin and *.pt of torch.save, any other is safetensors), or an index. Of a PyTorch file nothing is executed. A GGUF file's tensors
    /// have the names and the order of rows of a Hugging Face folder.
    /// </summary>
    /// <exception cref="CheckpointException">There is none, a file of it is malformed, or a shard or a tensor that the index lists is missing.</exception>
    /// <exception cref="NotSupportedException">A GGUF file of an architecture that is not known.</exception>
    public static Checkpoint Open(string folderOrFile)
    {
        ArgumentException.ThrowIfNullOrEmpty(folderOrFile);
        var path = folderOrFile;
        if (Directory.Exists(folderOrFile))
        {
            path = FolderFiles.Select(file => System.IO.Path.Combine(folderOrFile, file)).FirstOrDefault(File.Exists)
                ?? throw CheckpointException.In(folderOrFile, $"the folder holds neither {string.Join(" nor ", FolderFiles)}");
        }

        if (path.EndsWith(IndexSuffix, StringComparison.Ordinal))
        {
            return OpenShards(path);
        }

        var file = OpenFile(path);
        return new(path, new() { [path] = file }, file.Entries.Keys.ToDictionary(name => name, _ => file, StringComparer.Ordinal));
    }

    /// <summary>Whether there is a tensor of that name.</summary>
    public bool Contains(string name) => _fileOf.ContainsKey(name);

    /// <summary>Element type and shape of a tensor, without loading it.</summary>
    /// <exception cref="CheckpointException">There is no tensor of that name.</exception>
    public TensorEntry Entry(string name) => FileOf(name).Entries[name];

    /// <summary>
    /// The tensor of that name, a view of its mapped file where the file has plain numbers in the same order (see <see cref="SafeTensorsFile.Load"/>); what
    /// GGUF keeps in blocks as float32.
    /// </summary>
    /// <exception cref="CheckpointException">There is no tensor of that name, or TorchSharp lacks its element type.</exception>
    public Tensor Load(string name) => FileOf(name).Load(name);

    /// <summary>
    /// Writes <paramref name="tensors"/> into <paramref name="folder"/>, which is made if need be: one file, or shards with an index where
    /// they are more than <paramref name="maxShardBytes"/> of data. All files are complete before the first takes its place; afterwards
    /// those of an earlier save there that no longer belong (single file, index, model-*-of-*.safetensors) are removed.
    /// </summary>
    /// <exception cref="CheckpointException">A tensor cannot be stored in this format, or a file cannot be written.</exception>
    public static void Save(string folder, IReadOnlyDictionary<string, Tensor> tensors, long maxShardBytes = 5L << 30)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(tensors);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxShardBytes);
        CreateFolder(folder);
        var (shards, totalBytes) = Divide(folder, tensors, maxShardBytes);
        var names = Enumerable.Range(1, shards.Count).Select(i => shards.Count == 1 ? SingleFile : ShardName(i, shards.Count)).ToArray();
        var pending = new List<PendingFile>();
        try
        {
            for (var i = 0; i < names.Length; i++)
            {
                pending.Add(SafeTensorsWriter.Write(System.IO.Path.Combine(folder, names[i]), shards[i], metadata: null));
            }

            if (names.Length > 1)
            {
                var weightMap = shards.SelectMany((shard, i) => shard.Keys.Select(name => (name, names[i])));
                pending.Add(CheckpointIndex.Write(System.IO.Path.Combine(folder, IndexFile), weightMap, totalBytes));
            }

            pending.ForEach(file => file.Commit());
        }
        finally
        {
            pending.ForEach(file => file.Dispose());
        }

        RemoveOthers(folder, names);
    }

    /// <summary>Lets go of all files; loaded tensors stay valid.</summary>
    public void Dispose()
    {
        foreach (var file in _files.Values)
        {
            file.Dispose();
        }
    }

    private static ITensorFile OpenFile(string path) =>
        GgufFile.IsNamed(path) ? GgufCheckpoint.Open(path)
        : TorchFile.IsNamed(path) ? TorchFile.Open(path)
        : SafeTensorsFile.Open(path);

    private static Checkpoint OpenShards(string indexPath)
    {
        var folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(indexPath))!;
        var files = new Dictionary<string, ITensorFile>(StringComparer.Ordinal);
        var fileOf = new Dictionary<string, ITensorFile>(StringComparer.Ordinal);
        try
        {
            foreach (var (name, shard) in CheckpointIndex.Read(indexPath))
            {
                if (!files.TryGetValue(shard, out var file))
                {
                    files[shard] = file = OpenFile(CheckpointIndex.Resolve(indexPath, folder, name, shard));
                }

                fileOf[name] = file.Entries.ContainsKey(name) ? file : throw CheckpointException.In(indexPath, name, $"the index says that it is in {shard}, which does not hold it");
            }

            return new(indexPath, files, fileOf);
        }
        catch
        {
            foreach (var file in files.Values)
            {
                file.Dispose();
            }

            throw;
        }
    }

    private static (List<Dictionary<string, Tensor>> Shards, long TotalBytes) Divide(string folder, IReadOnlyDictionary<string, Tensor> tensors, long maxShardBytes)
    {
        List<Dictionary<string, Tensor>> shards = [[]];
        var (shardBytes, totalBytes) = (0L, 0L);
        foreach (var (name, tensor) in tensors.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            var bytes = SafeTensorsWriter.ByteCount(folder, name, tensor);
            if (shards[^1].Count > 0 && bytes > maxShardBytes - shardBytes)
            {
                shards.Add([]);
                shardBytes = 0;
            }

            shards[^1].Add(name, tensor);
            shardBytes += bytes;
            totalBytes += bytes;
        }

        return (shards, totalBytes);
    }

    private static string ShardName(int number, int count) => string.Create(CultureInfo.InvariantCulture, $"model-{number:D5}-of-{count:D5}.safetensors");

    private static void CreateFolder(string folder)
    {
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw CheckpointException.In(folder, $"the folder cannot be made: {error.Message}", error);
        }
    }

    /// <summary>A single file outranks an index when a folder is opened, so one that is out of date must not stay.</summary>
    private static void RemoveOthers(string folder, string[] written)
    {
        var keep = written.Length > 1 ? written.Append(IndexFile) : written;
        var candidates = Directory.EnumerateFiles(folder).Select(file => System.IO.Path.GetFileName(file)).Where(file => file is SingleFile or IndexFile || ShardPattern().IsMatch(file));
        foreach (var file in candidates.Except(keep).ToArray())
        {
            try
            {
                File.Delete(System.IO.Path.Combine(folder, file));
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                throw CheckpointException.In(System.IO.Path.Combine(folder, file), $"this file of an earlier save cannot be removed: {error.Message}", error);
            }
        }
    }

    private ITensorFile FileOf(string name) => _fileOf.GetValueOrDefault(name) ?? throw CheckpointException.In(_path, name, "the checkpoint has no tensor of that name");

    [GeneratedRegex(@"^model-\d{5,}-of-\d{5,}\.safetensors\z")]
    private static partial Regex ShardPattern();
}
