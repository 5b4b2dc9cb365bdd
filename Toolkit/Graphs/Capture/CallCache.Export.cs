using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <content>Captured calls in files.</content>
internal sealed partial class CallCache
{
    /// <summary>Saves the captured calls.</summary>
    /// <exception cref="CompiledArtifactException">There are none, or they cannot be saved.</exception>
    public void Save(string path, ArtifactOptions? options)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        RequireAlive();
        lock (_lock)
        {
            RequireWhole();
            ArtifactSaver.Save(path, _module, _graphs, _options.Cpu is null ? null : _options.Cpu with { Forms = null }, options ?? new());
        }
    }

    /// <summary>Writes the graph that was captured last as an ONNX model.</summary>
    public void ExportOnnx(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        RequireAlive();
        lock (_lock)
        {
            RequireWhole();
            var choice = ArtifactChoice.Of(_module, _graphs, isForOnnx: true)[^1];
            var inputs = choice.Captured.Inputs;
            var fresh = new List<Tensor>();
            try
            {
                if (FamilyOf(choice.Captured) is { } family)
                {
                    OnnxExporter.Export(family, path, Weight, Name, i => choice.PlaceOf(inputs[i]), argument => inputs.ToList().FindIndex(input => input.ArgumentNumber == argument));
                    return;
                }

                OnnxExporter.Export(choice.Captured.ResultGraph, path, Weight, Name, i => choice.PlaceOf(inputs[i]));
            }
            finally
            {
                fresh.ForEach(tensor => tensor.Dispose());
            }

            string Name(int i) => choice.Arguments[choice.PlaceOf(inputs[i])].Name;

            Tensor? Weight(int i)
            {
                var tensor = inputs[i].IsArgument ? null : (Tensor?)inputs[i].Read([]);
                if (tensor is not null && inputs[i].IsFresh)
                {
                    fresh.Add(tensor);
                }

                return tensor;
            }
        }
    }

    /// <summary>The calls that differ from a captured one in sizes only; null where there are none.</summary>
    private SizeFamily? FamilyOf(Specialization captured)
    {
        var first = _sizes.GetValueOrDefault(captured, captured);
        return _families.LastOrDefault(entry => entry.Captured == captured || entry.First == first).Family;
    }

    /// <summary>What ends early has no graph that could be written.</summary>
    private void RequireWhole()
    {
        if (_graphs.Length == 0 && _breaks.Length > 0)
        {
            throw new CompiledArtifactException($"the module cannot be captured whole: {_breaks[^1].Break}");
        }
    }
}
