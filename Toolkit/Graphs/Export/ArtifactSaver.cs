using System.Text;
using Toolkit.Checkpoints;
using Toolkit.Graphs.Capture;
using Toolkit.Graphs.Cpu;
using Toolkit.Graphs.Passes;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>Saves the captured calls of a module.</summary>
internal sealed class ArtifactSaver
{
    private readonly nn.Module _module;
    private readonly CpuOptions? _cpu;
    private readonly ArtifactWeights _weights = new();
    private readonly List<(string Name, Action<Stream> Write)> _entries = [];
    private readonly List<ArtifactManifest.KernelPart> _kernels = [];
    private readonly List<Tensor> _fresh = [];

    private ArtifactSaver(nn.Module module, CpuOptions? cpu) => (_module, _cpu) = (module, cpu);

    /// <summary>Saves them.</summary>
    /// <param name="path">The file.</param>
    /// <param name="module">The module.</param>
    /// <param name="captured">Its captured calls.</param>
    /// <param name="cpu">How it is compiled.</param>
    /// <param name="options">How it is saved.</param>
    /// <exception cref="CompiledArtifactException">Something cannot be saved.</exception>
    public static void Save(string path, nn.Module module, IReadOnlyList<Specialization> captured, CpuOptions? cpu, ArtifactOptions options)
    {
        var saver = new ArtifactSaver(module, cpu);
        try
        {
            using var still = no_grad();
            saver.Save(path, ArtifactChoice.Of(module, captured), options);
        }
        catch (CheckpointException problem)
        {
            throw new CompiledArtifactException(problem.Message, problem);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw CompiledArtifactException.In(path, $"it cannot be written: {problem.Message}", problem);
        }
        finally
        {
            saver._fresh.ForEach(tensor => tensor.Dispose());
        }
    }

    private void Save(string path, IReadOnlyList<ArtifactChoice> choices, ArtifactOptions options)
    {
        var graphs = choices.Select(Add).ToArray();
        var (own, external) = _weights.Split(path, options.WeightFiles);
        _entries.Add((CompiledArtifact.WeightsEntry, SafeTensorsWriter.Prepare(path, own, null).Write));
        ArtifactFile.Write(path, _entries, entries => new()
        {
            Format = ArtifactFile.Format,
            Module = _module.GetType().Name,
            Versions = ArtifactVersions.Current,
            Graphs = graphs,
            Kernels = _kernels,
            External = external,
            Entries = entries,
        });
    }

    private ArtifactManifest.GraphPart Add(ArtifactChoice choice, int number)
    {
        var captured = choice.Captured;
        var graph = captured.Graph;
        var changed = Functionalization.ChangedInputs(graph);
        var inputs = new List<ArtifactManifest.InputPart>();
        for (var i = 0; i < graph.Inputs.Length; i++)
        {
            var (input, source) = (graph.Inputs[i], captured.Inputs[i]);
            if (source.IsArgument)
            {
                inputs.Add(new(choice.PlaceOf(source), null));
                continue;
            }

            var tensor = (Tensor)source.Read([])!;
            if (source.IsFresh)
            {
                _fresh.Add(tensor);
            }

            inputs.Add(new(null, _weights.Add(tensor, input.Path, changed.Contains(i))));
        }

        var text = FormattableString.Invariant($"graphs/{number}.txt");
        _entries.Add((text, file => file.Write(Encoding.UTF8.GetBytes(graph.ToText()))));
        AddKernels(captured);
        return new(text, choice.Arguments, inputs, captured.Result.Describe(), captured.Holes, [.. captured.Views.Select((views, i) => ViewText(graph, captured.Holes[i], views))], [.. captured.Guards.Guards.Select(guard => guard.ToString()!)]);
    }

    /// <summary>A view as a graph of its own.</summary>
    private static string? ViewText(Graph graph, int hole, ResultViews? views)
    {
        if (views is null)
        {
            return null;
        }

        var builder = new GraphBuilder();
        var root = builder.Input((hole >= 0 ? graph.Outputs[hole] : graph.Inputs[-1 - hole]).Type, GraphInputKind.Argument, "root");
        return builder.Build([views.Apply(builder, root)]).ToText();
    }

    private void AddKernels(Specialization captured)
    {
        // What was captured while gradients were recorded runs operation by operation; the artifact records none.
        using var made = captured.Executable is CompiledGraph { Executable: CpuExecutable { IsSizeless: false } } ? null : CompiledGraph.Make(captured.Graph, _cpu);
        if ((made ?? (CompiledGraph)captured.Executable).Executable is not CpuExecutable executable)
        {
            return;
        }

        foreach (var kernels in executable.Assemblies)
        {
            if (_kernels.Exists(part => part.Key == kernels.Key))
            {
                continue;
            }

            var (source, code) = ($"kernels/{kernels.Key}.cs", $"kernels/{kernels.Key}.dll");
            _kernels.Add(new(kernels.Key, executable.VectorWidth, source, code));
            _entries.Add((source, file => file.Write(Encoding.UTF8.GetBytes(kernels.Source))));
            _entries.Add((code, file => file.Write(kernels.Image)));
        }
    }
}
