using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs;

/// <summary>Tests in which no gradients are recorded; their tensors end with them.</summary>
public abstract class InferenceTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly IDisposable _still = no_grad();

    public void Dispose()
    {
        _still.Dispose();
        _scope.Dispose();
        Clean();
        GC.SuppressFinalize(this);
    }

    /// <summary>What there is to clean up besides, at the end.</summary>
    protected virtual void Clean()
    {
    }
}
