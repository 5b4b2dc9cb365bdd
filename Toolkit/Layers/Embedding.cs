using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>Rows of a table by token id.</summary>
public sealed class Embedding : nn.Module<Tensor, Tensor>
{
    [ComponentName(Name = "weight")]
    private readonly Parameter _weight;

    /// <summary>A table (vocabulary, width) that is not yet set to anything.</summary>
    public Embedding(long vocabulary, long width, ScalarType dtype = ScalarType.Float32)
        : base(nameof(Embedding))
    {
        _weight = new Parameter(empty([vocabulary, width], dtype));
        RegisterComponents();
    }

    /// <summary>The table, (vocabulary, width).</summary>
    public Tensor Weight => _weight;

    /// <summary>(B, T) of int64 to (B, T, width).</summary>
    public override Tensor forward(Tensor ids) =>
        _weight.index_select(0, ids.reshape(-1)).view(ids.shape[0], ids.shape[1], _weight.shape[1]);
}
