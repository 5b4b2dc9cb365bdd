using Toolkit.Graphs;
using Toolkit.Graphs.Cpu;

namespace Toolkit;

/// <content>Compiled decoding.</content>
public sealed partial class LanguageModel
{
    /// <summary>The compiled decode step that this object generates with; null where it generates as the model does.</summary>
    public CompiledDecoder? Decoding { get; }

    /// <summary>The graph of the compiled decode step.</summary>
    /// <exception cref="InvalidOperationException">This model is not compiled, or has not generated yet.</exception>
    public Graph Graph => Compiled.Graph;

    /// <summary>The kernels of the compiled decode step.</summary>
    /// <exception cref="InvalidOperationException">This model is not compiled, or has not generated yet.</exception>
    public IReadOnlyList<CpuKernelInfo> Kernels => Compiled.Kernels;

    private CompiledDecoder Compiled => Decoding ?? throw new InvalidOperationException("this model is not compiled: Compile() gives one that is");

    /// <summary>
    /// The same model, with the same weights, that generates through a compiled decode step: captured at the first tokens, in C# kernels where this processor is the bottleneck. Changes of
    /// the weights are seen by both. Dispose of it before this model.
    /// </summary>
    /// <param name="options">How it is compiled.</param>
    /// <example><code>using var compiled = model.Compile(); compiled.Generate("My fellow citizens,", tokens: 100).Stream(); compiled.Kernels[0].Source.Show();</code></example>
    public LanguageModel Compile(CompileOptions? options = null) => new(Model, Tokenizer, _generation, Model.CompileDecoding(options)) { _ownDefaults = _ownDefaults };
}
