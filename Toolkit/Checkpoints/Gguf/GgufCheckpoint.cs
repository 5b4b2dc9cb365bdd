using static TorchSharp.torch;

namespace Toolkit.Checkpoints;

/// <summary>The tensors of a GGUF file as a Hugging Face folder would have them: by its names, and in its order of rows.</summary>
internal sealed class GgufCheckpoint : ITensorFile
{
    private readonly GgufFile _file;
    private readonly GgufArchitecture _architecture;
    private readonly HuggingFaceConfig _config;
    private readonly Dictionary<string, string> _names;

    private GgufCheckpoint(GgufFile file, GgufArchitecture architecture, HuggingFaceConfig config)
    {
        (_file, _architecture, _config) = (file, architecture, config);
        _names = new(StringComparer.Ordinal);
        foreach (var name in file.Tensors.Keys.Where(name => !architecture.IsImplied(name)))
        {
            // What has no other name keeps its own: whoever loads the model says that it does not belong there.
            if (!_names.TryAdd(architecture.HuggingFace(name) ?? name, name))
            {
                throw CheckpointException.In(file.Path, name, $"there are two tensors for {architecture.HuggingFace(name)}");
            }
        }

        Entries = _names.ToDictionary(pair => pair.Key, pair => Entry(pair.Key, file.Tensors[pair.Value]), StringComparer.Ordinal).AsReadOnly();
    }

    public IReadOnlyDictionary<string, TensorEntry> Entries { get; }

    public static GgufCheckpoint Open(string path)
    {
        var file = GgufFile.Open(path);
        try
        {
            if (file.Metadata.Integer("split.count") is > 1 and var parts)
            {
                throw new NotSupportedException($"{path}: the model is split into {parts} files, which is not supported; llama.cpp's llama-gguf-split --merge makes one of them");
            }

            var architecture = GgufArchitectures.Of(file);
            return new(file, architecture, new(architecture.ReadConfig(file)));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public Tensor Load(string name)
    {
        if (!_names.TryGetValue(name, out var gguf))
        {
            throw CheckpointException.In(_file.Path, name, "the file has no tensor of that name");
        }

        var arrangement = _architecture.Arrangement(name, _config);
        var loaded = _file.Load(gguf, HeadRows(_file.Tensors[gguf], arrangement));
        if (!arrangement.IsTransposed || loaded.dim() != 2)
        {
            return loaded;
        }

        using (loaded)
        {
            return loaded.t();
        }
    }

    public void Dispose() => _file.Dispose();

    private TensorEntry Entry(string name, GgufTensor tensor)
    {
        var shape = tensor.Shape;
        if (_architecture.Arrangement(name, _config).IsTransposed && shape.Length == 2)
        {
            Array.Reverse(shape);
        }

        // Blocks have no element of their own; they load as float32.
        var type = tensor.Layout.Plain ?? new ElementType(tensor.Type.ToString(), tensor.Layout.BlockBytes, ScalarType.Float32);
        return new(type, shape, tensor.Offset, tensor.Offset + tensor.ByteCount);
    }

    private long HeadRows(GgufTensor tensor, GgufArrangement arrangement)
    {
        if (arrangement.Heads == 0)
        {
            return 0;
        }

        var rows = tensor.Dimensions.Length == 0 ? 0 : tensor.Dimensions[0];
        return rows % (2 * arrangement.Heads) == 0
            ? rows / arrangement.Heads
            : throw CheckpointException.In(_file.Path, tensor.Name, $"its {rows} rows are not {arrangement.Heads} heads of an even number of dimensions");
    }
}
