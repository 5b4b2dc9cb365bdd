using Toolkit.Checkpoints;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>The weights of an artifact that is being saved: every tensor once, however many graphs read it.</summary>
internal sealed class ArtifactWeights
{
    private readonly Dictionary<nint, string> _names = [];
    private readonly Dictionary<string, Tensor> _tensors = new(StringComparer.Ordinal);
    private readonly HashSet<string> _changed = new(StringComparer.Ordinal);

    /// <summary>Adds a tensor, unless it is there.</summary>
    /// <param name="tensor">The tensor; it must live until everything is written.</param>
    /// <param name="path">The name that it would like.</param>
    /// <param name="isChanged">Whether a graph changes it.</param>
    /// <returns>Its name.</returns>
    public string Add(Tensor tensor, string path, bool isChanged)
    {
        // Handles differ, what they point to is the tensor.
        var identity = Dispatch.TensorMemory.Identity(tensor);
        if (!_names.TryGetValue(identity, out var name))
        {
            path = path is "" or "__metadata__" ? "tensor" : path;
            name = path;
            for (var i = 2; _tensors.ContainsKey(name); i++)
            {
                name = FormattableString.Invariant($"{path} #{i}");
            }

            _names[identity] = name;
            _tensors[name] = tensor;
        }

        if (isChanged)
        {
            _changed.Add(name);
        }

        return name;
    }

    /// <summary>Those that none of some safetensors files holds, and where the others are.</summary>
    /// <param name="path">The artifact.</param>
    /// <param name="files">The files.</param>
    public (IReadOnlyDictionary<string, Tensor> Own, IReadOnlyList<ArtifactManifest.ExternalPart> External) Split(string path, IReadOnlyList<string> files)
    {
        RequireSeparate();
        var own = new Dictionary<string, Tensor>(_tensors, StringComparer.Ordinal);
        var external = new List<ArtifactManifest.ExternalPart>();
        foreach (var file in files)
        {
            using var opened = SafeTensorsFile.Open(file);
            var found = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var (name, tensor) in own)
            {
                if (Find(opened, name, tensor) is { } there)
                {
                    found[name] = there;
                }
            }

            if (found.Count > 0)
            {
                using var handle = File.OpenHandle(file);
                external.Add(new(Reference(path, file), ArtifactFile.Hash(handle, 0, RandomAccess.GetLength(handle)), found));
                foreach (var name in found.Keys)
                {
                    own.Remove(name);
                }
            }
        }

        return (own, external);
    }

    /// <summary>Where a weight is in a file: there under its name, or the only one whose name ends in it, with the same values.</summary>
    private static string? Find(SafeTensorsFile file, string name, Tensor tensor)
    {
        string[] names = file.Entries.ContainsKey(name) ? [name] : [.. file.Entries.Keys.Where(other => other.EndsWith("." + name, StringComparison.Ordinal))];
        if (names.Length != 1 || file.Entries[names[0]].ScalarType != tensor.dtype || !file.Entries[names[0]].Shape.AsSpan().SequenceEqual(tensor.shape))
        {
            return null;
        }

        using var scope = NewDisposeScope();
        using var still = no_grad();
        return HaveSameBytes(file.Load(names[0]), tensor.detach().cpu().contiguous()) ? names[0] : null;
    }

    private static unsafe bool HaveSameBytes(Tensor a, Tensor b)
    {
        var bytes = a.numel() * a.element_size();
        var first = (byte*)Cpu.LibTorchCalls.Address(a.Handle);
        var second = (byte*)Cpu.LibTorchCalls.Address(b.Handle);
        for (var done = 0L; done < bytes;)
        {
            var count = (int)Math.Min(bytes - done, 1 << 30);
            if (!new ReadOnlySpan<byte>(first + done, count).SequenceEqual(new(second + done, count)))
            {
                return false;
            }

            done += count;
        }

        GC.KeepAlive(a);
        GC.KeepAlive(b);
        return true;
    }

    private static string Reference(string artifact, string file)
    {
        var relative = Path.GetRelativePath(Path.GetDirectoryName(Path.GetFullPath(artifact))!, Path.GetFullPath(file));
        return relative.StartsWith("..", StringComparison.Ordinal) || Path.IsPathRooted(relative) ? Path.GetFullPath(file) : relative.Replace('\\', '/');
    }

    /// <summary>In the artifact every weight has memory of its own: one that changes must not be seen through another.</summary>
    private void RequireSeparate()
    {
        foreach (var name in _changed)
        {
            var (begin, end) = Range(_tensors[name]);
            var other = _tensors.FirstOrDefault(entry => entry.Key != name && Range(entry.Value) is var (first, last) && first < end && begin < last).Key;
            if (other is not null)
            {
                throw new CompiledArtifactException($"\"{name}\" changes and shares memory with \"{other}\": an artifact cannot keep that");
            }
        }
    }

    private static (nint Begin, nint End) Range(Tensor tensor)
    {
        var begin = tensor.numel() == 0 || tensor.device_type != TorchSharp.DeviceType.CPU ? 0 : Cpu.LibTorchCalls.Address(tensor.Handle);
        var last = begin == 0 ? 0 : tensor.shape.Zip(tensor.stride()).Sum(pair => (pair.First - 1) * pair.Second) + 1;
        return (begin, begin + (nint)(last * tensor.element_size()));
    }
}
