using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>A learned vector for every position, added to the embedding (GPT-2, OPT).</summary>
public sealed class LearnedPositions : nn.Module
{
    [ComponentName(Name = "weight")]
    private readonly Parameter _weight;

    private readonly int _offset;

    /// <summary>A table that is not yet set to anything.</summary>
    /// <param name="positions">Positions that the model knows.</param>
    /// <param name="width">Width of the residual stream.</param>
    /// <param name="offset">Rows of the table before that of the first position: OPT has two.</param>
    /// <param name="dtype">Type of the table.</param>
    public LearnedPositions(long positions, long width, int offset = 0, ScalarType dtype = ScalarType.Float32)
        : base(nameof(LearnedPositions))
    {
        _offset = offset;
        _weight = new Parameter(empty([positions + offset, width], dtype));
        RegisterComponents();
    }

    /// <summary>The table, (offset + positions, width).</summary>
    public Tensor Weight => _weight;

    /// <summary>The vectors of a call's positions: (T, width), or (B, T, width) where sequences differ.</summary>
    /// <exception cref="InvalidOperationException">A position lies beyond those that the model learned.</exception>
    public Tensor Rows(AttentionContext context)
    {
        var known = _weight.shape[0] - _offset;
        if (context.Length > known)
        {
            throw new InvalidOperationException($"the model learned {known} positions, the sequence has {context.Length}");
        }

        if (context.Positions is not { } positions)
        {
            return _weight.narrow(0, context.Start + _offset, context.Time);
        }

        using var offset = _offset.ToScalar();
        return _weight.index_select(0, positions.reshape(-1).add(offset, Ops.Scalars.One)).view(positions.shape[0], positions.shape[1], -1);
    }
}
