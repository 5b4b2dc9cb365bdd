using Toolkit.Graphs.Capture;
using Toolkit.Graphs.Cpu;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>A module whose calls are served by graphs of its operations, captured from its first calls. It computes what the module computes, with the module's own parameters.</summary>
public sealed partial class CompiledModule<T, TResult> : nn.Module<T, TResult>, ICompiledModule
{
    private readonly CallCache _cache;

    internal CompiledModule(nn.Module<T, TResult> module, CompileOptions options)
        : base(nameof(CompiledModule<,>))
    {
        Module = module;
        _cache = new CallCache(module, typeof(nn.Module<T, TResult>).GetMethod(nameof(call))!, options);
    }

    /// <summary>The module.</summary>
    public nn.Module<T, TResult> Module { get; }

    /// <summary>The graph that was captured last.</summary>
    /// <exception cref="InvalidOperationException">None was captured yet.</exception>
    public Graph Graph => Executable.Graph;

    /// <summary>What runs the graph that was captured last.</summary>
    /// <exception cref="InvalidOperationException">None was captured yet.</exception>
    public IExecutable Executable => _cache.Last.Executable;

    /// <inheritdoc/>
    public Autograd.JointGraph? TrainingGraph => (Executable as Autograd.TrainingGraph)?.Variant?.Joint;

    /// <summary>The kernels of the graph that was captured last; none where it runs operation by operation.</summary>
    /// <exception cref="InvalidOperationException">None was captured yet.</exception>
    public IReadOnlyList<CpuKernelInfo> Kernels => _cache.Last.Kernels;

    /// <summary>What became of the calls so far.</summary>
    public CompileReport Explain() => _cache.Report;

    /// <inheritdoc/>
    public void Save(string path, ArtifactOptions? options = null) => ModuleExport.Save(_cache, path, options);

    /// <inheritdoc/>
    public void ExportOnnx(string path) => ModuleExport.SaveOnnx(_cache, path);

    /// <summary>
    /// Measures the kernels of the graph that serves such a call, each by itself: <see cref="CpuKernelInfo.Time"/> is there afterwards. The graph runs for real: what it changes in
    /// its inputs is changed.
    /// </summary>
    /// <param name="input">The argument of the call.</param>
    /// <param name="runs">How many times each kernel is timed; the least time counts.</param>
    /// <exception cref="InvalidOperationException">No graph serves such a call.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There are no runs.</exception>
    public void Profile(T input, int runs = 5) => _cache.Profile([input], runs);

    /// <summary>Compiles what the next such call would compile; the call is not made.</summary>
    internal void Prepare(T input) => _cache.Prepare([input]);

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">This was disposed of.</exception>
    public override TResult forward(T input) => Il.Interpreter.IsInterpreting ? Module.call(input) : (TResult)_cache.Call([input])!;

    /// <summary>The module's class, and what became of its calls so far.</summary>
    public override string ToString() => $"{Module.GetType().Name}, compiled: {Explain().ToString().Split('\n')[0]}";

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _isDisposed = true;
        if (disposing)
        {
            _cache.Dispose();
        }

        base.Dispose(disposing);
    }
}
