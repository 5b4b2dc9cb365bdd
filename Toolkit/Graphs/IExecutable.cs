using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>A graph made ready to run: by the interpreter, by a back end.</summary>
public interface IExecutable : IDisposable
{
    /// <summary>The graph.</summary>
    Graph Graph { get; }

    /// <summary>Runs it.</summary>
    /// <param name="inputs">One for each of <see cref="Graph.Inputs"/>, of its type; they stay the caller's.</param>
    /// <returns>One for each of <see cref="Graph.Outputs"/>, in the current dispose scope.</returns>
    Tensor[] Run(ReadOnlySpan<Tensor> inputs);
}
