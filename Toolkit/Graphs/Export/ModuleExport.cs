using Toolkit.Graphs.Capture;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>Writes what was captured of a module.</summary>
internal static class ModuleExport
{
    /// <summary>As an artifact.</summary>
    /// <exception cref="CompiledArtifactException">Nothing was captured, or it cannot be saved.</exception>
    public static void Save(CallCache calls, string path, ArtifactOptions? options)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        calls.Export((module, captured, cpu) => ArtifactSaver.Save(path, module, captured, cpu, options ?? new()));
    }

    /// <summary>The graph that was captured last as an ONNX model; dimensions marked dynamic have any size in it.</summary>
    /// <exception cref="CompiledArtifactException">Nothing was captured for the module as it is now.</exception>
    /// <exception cref="GraphException">Some operators have no counterpart in ONNX, or the graph changes its inputs.</exception>
    public static void SaveOnnx(CallCache calls, string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        calls.Export((module, captured, _) =>
        {
            var choice = ArtifactChoice.Of(module, captured, isForOnnx: true)[^1];
            var inputs = choice.Captured.Inputs;
            var fresh = new List<Tensor>();
            try
            {
                if (calls.FamilyOf(choice.Captured) is { } family)
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
        });
    }
}
