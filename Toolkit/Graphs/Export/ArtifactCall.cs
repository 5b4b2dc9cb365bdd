using Toolkit.Graphs.Capture;
using Toolkit.Graphs.Dispatch;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>One graph of a loaded artifact, and the calls that it serves.</summary>
internal sealed class ArtifactCall : IDisposable
{
    private readonly ArtifactManifest.GraphPart _part;
    private readonly TensorType[] _types;
    private readonly (int Argument, Tensor? Weight)[] _inputs;
    private readonly Template _result;
    private readonly GraphInterpreter?[] _views;
    private readonly HashSet<int> _returned;
    private readonly (int Changed, int Other)[] _apart;

    /// <summary>A graph with its weights.</summary>
    public ArtifactCall(ArtifactManifest.GraphPart part, TensorType[] types, (int Argument, Tensor? Weight)[] inputs, Template result, GraphInterpreter?[] views, CompiledGraph executable)
    {
        (_part, _types, _inputs, _result, _views, Executable) = (part, types, inputs, result, views, executable);
        var changed = Passes.Functionalization.ChangedInputs(executable.Graph);
        _apart = [.. from i in changed from j in Enumerable.Range(0, inputs.Length) where i != j && (inputs[i].Weight is null || inputs[j].Weight is null) && !(changed.Contains(j) && j < i) select (i, j)];
        _returned = [.. part.Result.Holes.Where(hole => views[hole] is null).Select(hole => part.Holes[hole])];
    }

    /// <summary>What runs it.</summary>
    public CompiledGraph Executable { get; }

    /// <summary>What it takes and returns.</summary>
    public ArtifactSignature Signature => new([.. _part.Arguments.Select((argument, i) => (argument.Name, _types[i]))], _part.Result.ToString())
    {
        Same = [.. _part.Arguments.Where(argument => argument.SameAs is not null).Select(argument => (argument.Name, _part.Arguments[argument.SameAs!.Value].Name))],
    };

    /// <summary>Whether it takes these tensors.</summary>
    public bool Takes(ReadOnlySpan<Tensor> arguments)
    {
        if (arguments.Length != _types.Length)
        {
            return false;
        }

        for (var i = 0; i < arguments.Length; i++)
        {
            if (TensorType.Of(arguments[i]) != _types[i] || (_part.Arguments[i].SameAs is { } other && !TensorMemory.AreOne(arguments[i], arguments[other])))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Runs it.</summary>
    /// <exception cref="CompiledArtifactException">What the call changes lies in the memory of something else that it reads: the graph is of tensors that lie apart.</exception>
    public object? Run(ReadOnlySpan<Tensor> arguments)
    {
        using var still = no_grad();
        var inputs = new Tensor[_inputs.Length];
        for (var i = 0; i < inputs.Length; i++)
        {
            inputs[i] = _inputs[i].Weight ?? arguments[_inputs[i].Argument];
        }

        foreach (var (changed, other) in _apart)
        {
            if (TensorMemory.AreShared(inputs[changed], inputs[other]))
            {
                throw new CompiledArtifactException($"{NameOf(changed)} is changed by the call, and {NameOf(other)} lies in the same memory: give it tensors of their own");
            }
        }

        var outputs = Executable.Run(inputs);
        var tensors = new Tensor?[_part.Holes.Count];
        foreach (var hole in _part.Result.Holes)
        {
            tensors[hole] ??= Result(hole, inputs, outputs);
        }

        for (var i = 0; i < outputs.Length; i++)
        {
            if (!_returned.Contains(i))
            {
                outputs[i].Dispose(); // only views of it are given away
            }
        }

        return _result.Fill(hole => tensors[hole]!);
    }

    /// <inheritdoc/>
    public void Dispose() => Executable.Dispose();

    private string NameOf(int input) => _part.Inputs[input] is { Argument: { } place } ? _part.Arguments[place].Name : $"\"{_part.Inputs[input].Weight}\"";

    private Tensor Result(int hole, Tensor[] inputs, Tensor[] outputs)
    {
        var place = _part.Holes[hole];
        var root = place >= 0 ? outputs[place] : inputs[-1 - place];
        if (_views[hole] is { } view)
        {
            return view.Run([root])[0];
        }

        // What is returned is the caller's: a weight gets a handle of its own.
        return place < 0 && _inputs[-1 - place].Weight is not null ? root.alias() : root;
    }
}
