using Toolkit.Graphs.Capture;
using Toolkit.Graphs.Cpu;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <inheritdoc cref="CompiledModule{T, TResult}"/>
public sealed partial class CompiledModule<T1, T2, T3, TResult> : nn.Module<T1, T2, T3, TResult>, ICompiledModule
{
    private readonly CallCache _cache;

    internal CompiledModule(nn.Module<T1, T2, T3, TResult> module, CompileOptions options)
        : base(nameof(CompiledModule<,,,>))
    {
        Module = module;
        _cache = new CallCache(module, typeof(nn.Module<T1, T2, T3, TResult>).GetMethod(nameof(call))!, options);
    }

    /// <summary>The module.</summary>
    public nn.Module<T1, T2, T3, TResult> Module { get; }

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

    /// <inheritdoc cref="CompiledModule{T, TResult}.Profile"/>
    public void Profile(T1 input1, T2 input2, T3 input3, int runs = 5) => _cache.Profile([input1, input2, input3], runs);

    /// <summary>Compiles what the next such call would compile; the call is not made.</summary>
    internal void Prepare(T1 input1, T2 input2, T3 input3) => _cache.Prepare([input1, input2, input3]);

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">This was disposed of.</exception>
    public override TResult forward(T1 input1, T2 input2, T3 input3) => Il.Interpreter.IsInterpreting ? Module.call(input1, input2, input3) : (TResult)_cache.Call([input1, input2, input3])!;

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
