using Toolkit.Graphs.Cpu;
using Toolkit.Graphs.Dispatch;
using Toolkit.Graphs.Passes;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Autograd;

/// <summary>
/// Runs a captured graph where gradients are recorded: by a compiled forward graph and, when backward() comes, a compiled backward graph, which autograd sees as one function. The guards of the
/// captured graph say for which calls it stands. Both graphs are recorded at the first call, from the captured graph alone, and tried against eager's outputs and gradients; where that fails the
/// captured graph runs operation by operation under autograd, and <see cref="WhyNot"/> says why.
/// </summary>
internal sealed class TrainingGraph : IExecutable
{
    /// <summary>How many times graphs are recorded: once more when a module of native code has got other parameters, or frozen ones.</summary>
    private const int MostVariants = 4;
    private readonly GraphInterpreter _interpreter;
    private readonly Func<Graph, IExecutable> _backEnd;
    private readonly Lock _lock = new();
    private readonly nn.Module[] _modules;
    private NativeParameters[] _natives;
    private Tensor[] _held = [];
    private bool[] _wanted = [];
    private TrainingVariant? _variant;
    private readonly List<TrainingVariant> _all = [];
    private int _recorded;
    private string _note = "";
    private bool _wasWatched;

    /// <summary>For a captured graph.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="natives">Modules that its calls run, whose parameters are no inputs.</param>
    /// <param name="backEnd">Makes graphs ready to run.</param>
    public TrainingGraph(Graph graph, IEnumerable<NativeParameters> natives, Func<Graph, IExecutable> backEnd)
    {
        (_interpreter, _backEnd, _natives) = (new GraphInterpreter(graph), backEnd, [.. natives]);
        _modules = [.. _natives.Select(native => native.Module)];
    }

    /// <inheritdoc/>
    public Graph Graph => _interpreter.Graph;

    /// <summary>What runs; null before the first call, and where the graph runs operation by operation.</summary>
    public TrainingVariant? Variant => _variant;

    /// <summary>Why the graph runs operation by operation; null where it is compiled, and before the first call.</summary>
    public string? WhyNot { get; private set; }

    /// <summary>The kernels of both passes; none before the first call, and where the graph runs operation by operation.</summary>
    public IReadOnlyList<CpuKernelInfo> Kernels => _variant is { } variant ? [.. new[] { variant.Forward, variant.Backward }.OfType<CompiledGraph>().SelectMany(graph => graph.Kernels)] : [];

    /// <summary>Records and compiles the passes of a call, which is not made.</summary>
    public void Prepare(Tensor[] inputs)
    {
        if (!is_grad_enabled() || BackwardPass.IsWatched)
        {
            return;
        }

        lock (_lock)
        {
            if (!IsCurrent())
            {
                Renew(inputs);
            }
        }
    }

    /// <summary>Measures the kernels of both passes.</summary>
    public void Profile(Tensor[] inputs, int runs) => _variant?.Profile(inputs, _held, runs);

    /// <inheritdoc/>
    /// <exception cref="GraphException">An earlier backward pass failed, and nobody could be told.</exception>
    public Tensor[] Run(ReadOnlySpan<Tensor> inputs)
    {
        if (!is_grad_enabled())
        {
            return _interpreter.Run(inputs);
        }

        if (BackwardPass.IsWatched)
        {
            // A graph has no operations of which one could be named, and what is not a number in it may never come out.
            _wasWatched = true;
            return _interpreter.Run(inputs);
        }

        TrainingVariant? current;
        Tensor[] held;
        lock (_lock)
        {
            if (!IsCurrent())
            {
                Renew([.. inputs]);
            }

            if (_variant is { Failure: { } failure })
            {
                var isTold = _variant.IsFailureTold;
                Drop($"a backward pass failed: {failure}");
                if (!isTold)
                {
                    throw new GraphException($"the compiled backward pass failed, so its gradients are not numbers: {failure}; further calls run operation by operation");
                }
            }

            // A call on another thread may renew both.
            (current, held) = (_variant, _held);
        }

        return current is null ? _interpreter.Run(inputs) : current.Call(inputs, held);
    }

    /// <inheritdoc/>
    public void Dispose() => _all.ForEach(variant => variant.Dispose());

    /// <summary>One line.</summary>
    public override string ToString() => Text() + (_wasWatched ? "; operation by operation while anomalies were looked for (autograd.detect_anomaly)" : "");

    private string Text() => _variant is { } variant
        ? $"trained by a forward graph of {variant.Partition.Forward.Nodes.Length} nodes and a backward graph of {variant.Partition.Backward.Nodes.Length}, {Quantity.Of(variant.Partition.SavedBytes, "byte")} kept between them{_note}"
        : WhyNot is { } reason ? $"trained operation by operation: {reason}" : "not trained yet";

    /// <summary>Whether the modules of native code hold what they held, as trainable as it was.</summary>
    private bool IsCurrent()
    {
        if (_recorded == 0)
        {
            return false;
        }

        for (var i = 0; i < _held.Length; i++)
        {
            if (_held[i].requires_grad != _wanted[i])
            {
                return false;
            }
        }

        return Array.TrueForAll(_natives, native => native.Holds());
    }

    private void Renew(Tensor[] inputs)
    {
        // A backward pass through the one before may still come: it stays.
        (_variant, _note) = (null, "");
        if (_recorded++ > 0)
        {
            _natives = [.. _modules.Select(module => new NativeParameters(module))];
        }

        var held = _natives.SelectMany((native, i) => native.All.Select(entry => (Path: $"{i}.{entry.Path}", entry.Tensor))).ToArray();
        _held = [.. held.Select(entry => entry.Tensor)];
        _wanted = [.. _held.Select(tensor => tensor.requires_grad)];
        if (_recorded > MostVariants)
        {
            Drop($"modules of native code got other parameters, or frozen ones, {MostVariants} times");
            return;
        }

        try
        {
            using var recording = Record(inputs, held);
            _variant = Compile(recording, [.. held.Select(entry => entry.Path)]);
            _all.Add(_variant);
            WhyNot = null;
        }
        catch (Exception problem) when (problem is not OutOfMemoryException)
        {
            // Whatever the call itself throws, it throws again when it runs operation by operation.
            Drop(problem.Message.Split('\n')[0]);
        }
    }

    /// <summary>As it is; where that cannot be, without operations in place.</summary>
    private JointRecording Record(Tensor[] inputs, (string Path, Tensor Tensor)[] held)
    {
        var dispatcher = DispatcherCapture.Required;
        try
        {
            return new JointRecorder(dispatcher, Graph, held).Record(inputs);
        }
        catch (GraphException) when (Pure() is { } pure)
        {
            return new JointRecorder(dispatcher, Graph, held, pure).Record(inputs);
        }
    }

    /// <summary>The graph without operations in place; null where it has none, or some that cannot be written otherwise.</summary>
    private Graph? Pure()
    {
        try
        {
            return Graph.Nodes.Any(node => node.Operator.IsMutating) ? new CopiesWithGradients().Run(new Functionalization().Run(Graph)) : null;
        }
        catch (GraphException)
        {
            return null;
        }
    }

    /// <summary>By the back end; where that does badly, by libtorch's own kernels, one after the other.</summary>
    private TrainingVariant Compile(JointRecording recording, string[] paths)
    {
        try
        {
            return Tried(recording, paths, _backEnd);
        }
        catch (Exception problem) when (problem is not OutOfMemoryException)
        {
            var variant = Tried(recording, paths, graph => new DispatcherExecutor(graph));
            _note = $", by libtorch's kernels: {problem.Message.Split('\n')[0]}";
            return variant;
        }
    }

    private TrainingVariant Tried(JointRecording recording, string[] paths, Func<Graph, IExecutable> backEnd)
    {
        var variant = new TrainingVariant(recording, paths, backEnd);
        try
        {
            return TrainingTrial.Difference(variant, recording, _held) is { } difference
                ? throw new GraphException($"a trial of the compiled graphs differs from eager: {difference}")
                : variant;
        }
        catch
        {
            variant.Dispose();
            throw;
        }
    }

    private void Drop(string reason)
    {
        _variant = null;
        WhyNot = reason;
    }
}
