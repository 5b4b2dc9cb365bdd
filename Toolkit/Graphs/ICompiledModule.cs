using Toolkit.Graphs.Cpu;

namespace Toolkit.Graphs;

/// <summary>A compiled module, whatever its forward takes and returns.</summary>
public interface ICompiledModule
{
    /// <summary>The graph that was captured last.</summary>
    /// <exception cref="InvalidOperationException">None was captured yet.</exception>
    Graph Graph { get; }

    /// <summary>
    /// Both passes of the graph that was captured last, as it is trained; null where it is not, or operation by operation (<see cref="CompileReport.Training"/>). What the captured graph has as one
    /// call of native code (an Embedding, an LSTM) is here by its operations.
    /// </summary>
    /// <exception cref="InvalidOperationException">None was captured yet.</exception>
    Autograd.JointGraph? TrainingGraph { get; }

    /// <summary>What runs the graph that was captured last.</summary>
    /// <exception cref="InvalidOperationException">None was captured yet.</exception>
    IExecutable Executable { get; }

    /// <summary>The kernels of the graph that was captured last; none where it runs operation by operation.</summary>
    /// <exception cref="InvalidOperationException">None was captured yet.</exception>
    IReadOnlyList<CpuKernelInfo> Kernels { get; }

    /// <summary>
    /// Saves the captured calls in one file: graphs, weights, C# and machine code. <see cref="Compiled.Load"/> runs them in another process, without the module's class.
    /// Graphs for another state of the module (training, say) than it is in now are left out.
    /// </summary>
    /// <param name="path">The file; its folder must exist.</param>
    /// <param name="options">How it is saved.</param>
    /// <exception cref="CompiledArtifactException">Nothing was captured, or something cannot be saved; the message says what.</exception>
    void Save(string path, ArtifactOptions? options = null);

    /// <summary>
    /// Writes the graph that was captured last as an ONNX model (opset 18), with the module's weights inside and under their own names. Dimensions that are marked dynamic have any size in it, as far as
    /// the program does the same with each: what it asked of sizes the model asks too, and fails with the condition in the message where it does not hold.
    /// </summary>
    /// <param name="path">The file; its folder must exist.</param>
    /// <exception cref="CompiledArtifactException">Nothing was captured for the module as it is now.</exception>
    /// <exception cref="GraphException">Some operators have no counterpart in ONNX (the message lists them), or the graph changes its inputs.</exception>
    void ExportOnnx(string path);

    /// <summary>What became of the calls so far.</summary>
    CompileReport Explain();
}
