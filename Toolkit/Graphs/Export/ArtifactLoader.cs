using Toolkit.Checkpoints;
using Toolkit.Graphs.Capture;
using Toolkit.Graphs.Cpu;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>Loads an artifact.</summary>
internal sealed class ArtifactLoader : IDisposable
{
    private readonly ArtifactFile _file;
    private readonly CpuOptions? _options;
    private readonly Dictionary<string, Tensor> _weights = new(StringComparer.Ordinal);
    private readonly List<KernelAssembly> _code = [];
    private readonly List<ArtifactCall> _calls = [];

    private ArtifactLoader(ArtifactFile file, CpuOptions? options) => (_file, _options) = (file, options);

    /// <summary>Loads it.</summary>
    public static CompiledArtifact Load(string path, CpuOptions? options)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using var file = ArtifactFile.Open(path);
        using var loader = new ArtifactLoader(file, options);
        try
        {
            return loader.Load();
        }
        catch (Exception problem) when (problem is not (CompiledArtifactException or OutOfMemoryException))
        {
            // Checksums were right, so somebody wrote it like that: whatever is wrong with it, it is one kind of error.
            throw CompiledArtifactException.In(path, $"it cannot be used: {problem.Message}", problem);
        }
    }

    /// <summary>Frees what was loaded, if it did not become an artifact.</summary>
    public void Dispose()
    {
        _calls.ForEach(call => call.Dispose());
        foreach (var weight in _weights.Values)
        {
            weight.Dispose();
        }
    }

    private CompiledArtifact Load()
    {
        var manifest = _file.Manifest;
        if (manifest.Versions.Misfit(ArtifactVersions.Current) is { } misfit)
        {
            throw CompiledArtifactException.In(_file.Path, misfit);
        }

        if (manifest.Graphs.Count == 0)
        {
            throw CompiledArtifactException.In(_file.Path, "there is no graph in it");
        }

        using var still = no_grad();
        using (NewDisposeScope())
        {
            LoadWeights();
        }

        LoadCode();
        foreach (var part in manifest.Graphs)
        {
            _calls.Add(Call(part));
        }

        var artifact = new CompiledArtifact(_file.Path, manifest, [.. _calls], new Dictionary<string, Tensor>(_weights), [.. _code], [.. manifest.Kernels.Select(part => new KernelSource(part.Key, _file.ReadText(part.Source)))]);
        _calls.Clear();
        _weights.Clear();
        return artifact;
    }

    private void LoadWeights()
    {
        var entry = _file.Entry(CompiledArtifact.WeightsEntry);
        using (var inside = SafeTensorsFile.OpenPart(_file.Handle, _file.Path, entry.Offset, entry.Length))
        {
            foreach (var name in inside.Entries.Keys)
            {
                _weights.Add(name, inside.Load(name).DetachFromDisposeScope());
            }
        }

        foreach (var part in _file.Manifest.External)
        {
            var path = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(_file.Path))!, part.File);
            if (!File.Exists(path))
            {
                throw CompiledArtifactException.In(_file.Path, $"its weights are in {path}, and that file is not there");
            }

            using (var handle = File.OpenHandle(path))
            {
                if (ArtifactFile.Hash(handle, 0, RandomAccess.GetLength(handle)) != part.Sha256)
                {
                    throw CompiledArtifactException.In(_file.Path, $"{path} is not the file that it was saved with: its checksum is another");
                }
            }

            using var outside = SafeTensorsFile.Open(path);
            foreach (var (name, tensor) in part.Tensors)
            {
                _weights.Add(name, outside.Load(tensor).DetachFromDisposeScope());
            }
        }
    }

    /// <summary>Code is loaded only where it is just what would be compiled here.</summary>
    private void LoadCode()
    {
        foreach (var part in _file.Manifest.Kernels)
        {
            var source = _file.ReadText(part.Source);
            if (part.Width is 4 or 8 or 16 && KernelCache.Key(source, part.Width) == part.Key)
            {
                _code.Add(KernelCache.Add(part.Key, source, _file.Read(part.Code)));
            }
        }
    }

    private ArtifactCall Call(ArtifactManifest.GraphPart part)
    {
        var graph = Graph.Parse(_file.ReadText(part.Text));
        if (part.Inputs.Count != graph.Inputs.Length)
        {
            throw new InvalidDataException($"{part.Text} has {graph.Inputs.Length} inputs and {part.Inputs.Count} are described");
        }

        var types = part.Arguments.Select(TypeOf).ToArray();
        var inputs = new (int Argument, Tensor? Weight)[part.Inputs.Count];
        for (var i = 0; i < inputs.Length; i++)
        {
            var wanted = graph.Inputs[i].Type;
            inputs[i] = part.Inputs[i] switch
            {
                { Argument: { } place } when place >= 0 && place < types.Length && types[place] == wanted => (place, null),
                { Weight: { } name } when _weights.TryGetValue(name, out var weight) => (-1, Placed(name, weight, wanted)),
                _ => throw new InvalidDataException($"input {i} of {part.Text} ({graph.Inputs[i].Path}) is neither an argument nor a weight"),
            };
        }

        if (part.Holes.Any(hole => hole >= graph.Outputs.Length || hole < -inputs.Length) || part.Result.Holes.Any(hole => hole < 0 || hole >= part.Holes.Count)
            || part.Arguments.Where((argument, i) => argument.SameAs is { } other && (other < 0 || other >= i)).Any())
        {
            throw new InvalidDataException($"what {part.Text} returns or takes is not in it");
        }

        return new(part, types, inputs, Template.From(part.Result), Views(part, graph), CompiledGraph.Make(graph, _options));
    }

    private static GraphInterpreter?[] Views(ArtifactManifest.GraphPart part, Graph graph)
    {
        if (part.Views.Count != part.Holes.Count)
        {
            throw new InvalidDataException($"{part.Text} returns {part.Holes.Count} tensors and {part.Views.Count} views are described");
        }

        return [.. part.Views.Select((text, i) =>
        {
            var view = text is null ? null : new GraphInterpreter(Graph.Parse(text));
            var root = part.Holes[i] >= 0 ? graph.Outputs[part.Holes[i]] : graph.Inputs[-1 - part.Holes[i]];
            return view is null || (view.Graph.Inputs.Length == 1 && view.Graph.Outputs.Length == 1 && view.Graph.Inputs[0].Type == root.Type)
                ? view
                : throw new InvalidDataException($"a view that {part.Text} returns is of something else");
        })];
    }

    /// <summary>A weight on its device; shared by all graphs that read it.</summary>
    private Tensor Placed(string name, Tensor weight, TensorType wanted)
    {
        if (wanted.Device != "cpu" && weight.device_type == TorchSharp.DeviceType.CPU)
        {
            var moved = weight.to(new Device(wanted.Device)).DetachFromDisposeScope();
            weight.Dispose();
            _weights[name] = weight = moved;
        }

        return TensorType.Of(weight) == wanted ? weight : throw new InvalidDataException($"\"{name}\" is {TensorType.Of(weight)} where {wanted} is wanted");
    }

    private static TensorType TypeOf(ArtifactManifest.ArgumentPart argument) =>
        new(DataTypes.Find(argument.DType) ?? throw new InvalidDataException($"{argument.DType} is no type of values"), [.. argument.Shape], argument.Device);
}
