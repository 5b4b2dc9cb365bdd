using Toolkit.Checkpoints;
using Toolkit.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Models;

/// <summary>Mamba (Gu and Dao, 2023): a language model of selective state spaces. Its parameters have the names of a Hugging Face checkpoint.</summary>
public sealed class Mamba : StateSpaceModel
{
    private Mamba(MambaConfig config, ScalarType dtype)
        : base(
            nameof(Mamba), config.Validated(), config.WideResidual, [new([config.Kernel - 1, config.InnerWidth], IsWide: false), new([config.InnerWidth, config.StateSize], IsWide: true)],
            () => new MambaMixer(config.Width, config.InnerWidth, config.StateSize, config.StepRank, config.Kernel, config.Bias, config.ConvolutionBias, config.Activation, dtype), dtype) => Config = config;

    /// <summary>The model's shape.</summary>
    public MambaConfig Config { get; }

    /// <summary>Of every channel and state: its decay, its input and both sums, and what it says; and the convolution.</summary>
    private protected override double RecurrenceFlops => Config.InnerWidth * ((7.0 * Config.StateSize) + (2.0 * Config.Kernel));

    /// <summary>A model of random weights, distributed as in the paper.</summary>
    /// <param name="config">The shape.</param>
    /// <param name="seed">The same seed makes the same weights.</param>
    public static Mamba Create(MambaConfig config, long seed)
    {
        var model = new Mamba(config, ScalarType.Float32);
        model.Initialise(seed, (mixer, generator) =>
        {
            var own = (MambaMixer)mixer;
            using var end = (config.StateSize + 1).ToScalar();
            own.Decay.copy_(arange(Ops.Scalars.One, end, Ops.Scalars.One, ScalarType.Float32).log().expand(config.InnerWidth, config.StateSize));
            var bound = 1 / Math.Sqrt(config.StepRank);
            own.Step.Weight.uniform_(-bound, bound, generator);
            SpreadSteps(own.Step.Bias!, generator);
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
    public static new Mamba Load(string folder, ScalarType? dtype = null, bool map = false)
    {
        var config = MambaConfig.Load(folder);
        return Open(folder, config, () => new Mamba(config, dtype ?? ScalarType.Float32), map);
    }

    /// <inheritdoc/>
    public override CausalModel EmptyCopy(ScalarType dtype) => new Mamba(Config, dtype);
}
