using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>The half of a block that looks at every position by itself.</summary>
public abstract class FeedForward(string name) : nn.Module<Tensor, Tensor>(name)
{
    /// <summary>Its linears by what they read, in the order that a token passes them; the block fills in the norm before them.</summary>
    public abstract IEnumerable<LinearGroup> Groups { get; }

    /// <summary>Children have the names of the family: constructors register them.</summary>
    protected override void RegisterComponents()
    {
    }

    /// <summary>A linear of that name, registered.</summary>
    protected Linear Add(string name, long inputs, long outputs, bool bias, ScalarType dtype, bool transposed = false)
    {
        var linear = new Linear(inputs, outputs, bias, dtype, transposed);
        register_module(name, linear);
        return linear;
    }
}
