using Toolkit.Checkpoints;
using Toolkit.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Models;

/// <summary>Mamba-2 (Dao and Gu, 2024): state spaces whose heads decay as a whole. Its parameters have the names of a Hugging Face checkpoint.</summary>
public sealed class Mamba2 : StateSpaceModel
{
    private Mamba2(Mamba2Config config, ScalarType dtype)
        : base(
            nameof(Mamba2), config.Validated(), config.WideResidual,
            [new([config.Kernel - 1, config.Mixer.Channels], IsWide: false), new([config.Heads, config.HeadDimension, config.StateSize], IsWide: true)],
            () => new Mamba2Mixer(config.Mixer, dtype), dtype) => Config = config;

    /// <summary>The model's shape.</summary>
    public Mamba2Config Config { get; }

    /// <summary>Of every number of a state: its decay, its input, the sum, and what it says; and the convolution.</summary>
    private protected override double RecurrenceFlops => (5.0 * Config.Mixer.Inner * Config.StateSize) + (2.0 * Config.Kernel * Config.Mixer.Channels);

    /// <summary>A model of random weights, distributed as in the paper.</summary>
    /// <param name="config">The shape.</param>
    /// <param name="seed">The same seed makes the same weights.</param>
    public static Mamba2 Create(Mamba2Config config, long seed)
    {
        var model = new Mamba2(config, ScalarType.Float32);
        model.Initialise(seed, (mixer, generator) =>
        {
            var own = (Mamba2Mixer)mixer;
            using var end = (config.Heads + 1).ToScalar();
            own.Decay.copy_(arange(Ops.Scalars.One, end, Ops.Scalars.One, ScalarType.Float32).log());
            SpreadSteps(own.StepBias, generator);
        });
        return model;
    }

    /// <summary>Reads <c>config.json</c> and the weights of a folder.</summary>
    /// <param name="folder">A Hugging Face model folder.</param>
    /// <param name="dtype">Type to hold the weights in; default: float32.</param>
    /// <param name="map">Whether weights that the file has in this type become views of its memory map: see <see cref="Decoder.Load"/>.</param>
    /// <exception cref="NotSupportedException">An option that the toolkit does not have.</exception>
    /// <exception cref="InvalidDataException"><c>config.json</c> is no configuration of this family.</exception>
    /// <exception cref="CheckpointException">A tensor is missing, unexpected or of another shape.</exception>
    public static new Mamba2 Load(string folder, ScalarType? dtype = null, bool map = false)
    {
        var config = Mamba2Config.Load(folder);
        return Open(folder, config, () => new Mamba2(config, dtype ?? ScalarType.Float32), map);
    }

    /// <inheritdoc/>
    public override CausalModel EmptyCopy(ScalarType dtype) => new Mamba2(Config, dtype);
}
