using System.Diagnostics;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Cpu;

/// <summary>
/// A graph compiled for the CPU. Inputs may lie in memory as they like: for every way in which they come (up to <see cref="MaximumLayouts"/>) there is a program of its own, beyond that
/// they are copied. Calls from several threads wait for each other.
/// </summary>
public sealed partial class CpuExecutable : IExecutable
{
    /// <summary>How many ways in which inputs lie are compiled for.</summary>
    public const int MaximumLayouts = 8;

    private readonly Graph _prepared;
    private readonly Tensor[] _constants;
    private readonly CpuOptions _options;
    private readonly int _width;
    private readonly Lock _lock = new();
    private readonly List<(long[]?[] Strides, CpuProgram Program)> _programs = [];
    private readonly long[][] _sizes;
    private readonly long[][] _strides;
    private readonly (long[] Sizes, long[] Strides, ScalarType Type)[] _results;
    private readonly long[] _resultBytes;
    private readonly nint[] _inputs;
    private readonly nint[] _outputs;
    private readonly Plan _first;
    private CpuProgram _current = null!;
    private bool _isDisposed;

    /// <summary>Plans a graph. It can run when <see cref="Link"/> has given it its machine code.</summary>
    private CpuExecutable(Graph graph, CpuOptions options)
    {
        (Graph, _options) = (graph, options);
        _width = options.VectorWidth == 0 ? KernelPrelude.Width : options.VectorWidth;
        (_prepared, _constants) = Preparation.Prepare(graph, options.Forms is not null);
        _sizes = [.. graph.Inputs.Select(input => input.Type.Shape.ToArray())];
        _strides = [.. graph.Inputs.Select(input => input.Type.Shape.ContiguousStrides.ToArray())];
        _results = [.. graph.Outputs.Select(output => (output.Type.Shape.ToArray(), output.Type.Shape.ContiguousStrides.ToArray(), output.Type.DType))];
        _resultBytes = [.. graph.Outputs.Select(output => output.Type.Elements * DataTypes.Size(output.Type.DType))];
        (_inputs, _outputs) = (new nint[graph.Inputs.Length], new nint[graph.Outputs.Length]);
        _first = Planner.Make(_prepared, new long[graph.Inputs.Length][], _constants.Length, _width, options.Forms is not null);
    }

    /// <inheritdoc/>
    public Graph Graph { get; }

    /// <summary>The graph as it runs: what one kernel does is one node.</summary>
    public Graph Fused => _prepared;

    /// <summary>The kernels of the program that ran last.</summary>
    public IReadOnlyList<CpuKernelInfo> Kernels => _current.Kernels;

    /// <summary>Nodes that no kernel computes, and how many times each has run through TorchSharp.</summary>
    public IReadOnlyList<FallbackCall> FallbackCalls => [.. _current.Fallbacks];

    /// <summary>Copies that the layout of values made necessary, in each run of the program that ran last.</summary>
    public IReadOnlyList<string> LayoutCopies => _current.Plan.Copies;

    /// <summary>Inputs that were copied because they came in too many different layouts.</summary>
    public long InputCopies { get; private set; }

    /// <summary>Bytes of the intermediates, which share memory as their lives allow; allocated once.</summary>
    public long ArenaBytes => _current.Plan.ArenaBytes;

    /// <summary>Bytes that the intermediates would take side by side.</summary>
    public long IntermediateBytes => _current.Plan.IntermediateBytes;

    /// <summary>Most bytes that a run holds beside its inputs: intermediates and outputs.</summary>
    public long PeakBytes => _current.Plan.PeakBytes;

    /// <summary>Where the machine code of the program that ran last came from.</summary>
    public KernelOrigin KernelOrigin => _current.Origin;

    /// <summary>Calls of libtorch's matrix products in a run.</summary>
    public int LibTorchProducts => _current.Plan.Segments.Count(segment => segment.Call is ProductStep);

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">Too few or too many tensors.</exception>
    /// <exception cref="GraphException">A tensor is not of the type of its input.</exception>
    public Tensor[] Run(ReadOnlySpan<Tensor> inputs) => Run(inputs, null);

    /// <summary>Measures the kernels: runs the graph some times, each kernel by itself, and leaves the time of one run in <see cref="CpuKernelInfo.Time"/>.</summary>
    /// <param name="inputs">As for <see cref="Run(ReadOnlySpan{Tensor})"/>; what the graph changes in its inputs is changed.</param>
    /// <param name="runs">How many times; the least time counts.</param>
    public void Profile(ReadOnlySpan<Tensor> inputs, int runs = 5)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(runs);
        var best = new Dictionary<int, long>();
        for (var i = 0; i < runs; i++)
        {
            var times = new Dictionary<int, long>();
            using (NewDisposeScope())
            {
                Run(inputs, times);
            }

            foreach (var (kernel, ticks) in times)
            {
                best[kernel] = Math.Min(ticks, best.GetValueOrDefault(kernel, long.MaxValue));
            }
        }

        foreach (var (kernel, ticks) in best)
        {
            // The least that a TimeSpan can tell is a tenth of a microsecond.
            _current.Kernels[kernel].Time = TimeSpan.FromTicks(Math.Max(1, ticks * TimeSpan.TicksPerSecond / Stopwatch.Frequency));
        }
    }

    /// <summary>As in <c>7 kernels, 25 matrix products of libtorch, 294,912 bytes of intermediates; through TorchSharp: aten::sort</c>.</summary>
    public override string ToString()
    {
        var others = string.Join(", ", FallbackCalls.Select(call => call.Node.Operator.Name).Distinct());
        return $"{Quantity.Of(Kernels.Count, "kernel")}, {Quantity.Of(LibTorchProducts, "matrix product")} of libtorch, {Quantity.Of(ArenaBytes, "byte")} of intermediates{(others == "" ? "" : $"; through TorchSharp: {others}")}";
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            if (!_isDisposed)
            {
                _isDisposed = true;
                _programs.ForEach(entry => entry.Program.Dispose());
                Array.ForEach(_constants, constant => constant.Dispose());
            }
        }
    }

    /// <summary>Whether its kernels serve other sizes too.</summary>
    internal bool IsSizeless => _options.Forms is not null;

    /// <summary>The machine code of all its programs.</summary>
    internal IEnumerable<KernelAssembly> Assemblies
    {
        get
        {
            lock (_lock)
            {
                return [.. _programs.Select(entry => entry.Program.Assembly)];
            }
        }
    }

    /// <summary>Floats in a vector of its kernels.</summary>
    internal int VectorWidth => _width;

    /// <summary>Watches whether the machine code is still loaded.</summary>
    internal WeakReference WatchCode() => _current.WatchCode();

    private Tensor[] Run(ReadOnlySpan<Tensor> inputs, Dictionary<int, long>? times)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            Check(inputs);
            var copies = Choose(inputs);
            for (var i = 0; i < inputs.Length; i++)
            {
                _inputs[i] = LibTorchCalls.Address(copies?[i]?.Handle ?? inputs[i].Handle);
            }

            var outputs = new Tensor[_results.Length];
            var (program, handed) = (_current, _current.Plan.Handed);
            for (var i = 0; i < outputs.Length; i++)
            {
                if (handed[i] is null)
                {
                    outputs[i] = Tensor.UnsafeCreateTensor(ResultAllocator.Empty(_results[i].Sizes, _results[i].Strides, _results[i].Type, _resultBytes[i]));
                    _outputs[i] = LibTorchCalls.Address(outputs[i].Handle);
                }
            }

            try
            {
                program.Run(_inputs, _outputs, times);
                for (var i = 0; i < outputs.Length; i++)
                {
                    outputs[i] ??= program.Take(handed[i]!);
                }
            }
            finally
            {
                program.Release();
            }

            Return(inputs, copies);
            foreach (var input in inputs)
            {
                GC.KeepAlive(input);
            }

            return outputs;
        }
    }

    private void Check(ReadOnlySpan<Tensor> inputs)
    {
        if (inputs.Length != _sizes.Length)
        {
            throw new ArgumentException($"the graph has {_sizes.Length} inputs and was given {inputs.Length}", nameof(inputs));
        }

        for (var i = 0; i < inputs.Length; i++)
        {
            if (!LibTorchCalls.HasType(inputs[i].Handle, _sizes[i], Graph.Inputs[i].Type.DType))
            {
                throw new GraphException($"input {i} (\"{Graph.Inputs[i].Path}\") is {TensorType.Of(inputs[i])} where {Graph.Inputs[i].Type} is wanted");
            }
        }
    }
}
