using System.Text.Json.Nodes;
using Toolkit.Layers;
using Toolkit.Ops;

namespace Toolkit.Models;

/// <summary>The shape of a <see cref="Mamba2"/>.</summary>
public sealed record Mamba2Config : RecurrentConfig
{
    /// <summary>What <c>model_type</c> says.</summary>
    public const string Family = "mamba2";

    /// <inheritdoc/>
    public override string ModelType => Family;

    /// <summary>Heads.</summary>
    public required int Heads { get; init; }

    /// <summary>Rows of a head's state.</summary>
    public int HeadDimension { get; init; } = 64;

    /// <summary>Columns of a head's state.</summary>
    public int StateSize { get; init; } = 128;

    /// <summary>Groups of heads that share keys and queries.</summary>
    public int Groups { get; init; } = 8;

    /// <summary>Positions of the convolution.</summary>
    public int Kernel { get; init; } = 4;

    /// <summary>Positions of a chunk, where the scan is made of matrix products; the result does not depend on it.</summary>
    public int Chunk { get; init; } = 256;

    /// <summary>Whether the linears have a bias.</summary>
    public bool Bias { get; init; }

    /// <summary>Whether the convolution has a bias.</summary>
    public bool ConvolutionBias { get; init; } = true;

    /// <summary>The smallest step.</summary>
    public double LeastStep { get; init; }

    /// <summary>The largest step.</summary>
    public double MostStep { get; init; } = double.PositiveInfinity;

    /// <summary>What the convolution passes through; the gate is always silu.</summary>
    public Activation Activation { get; init; }

    /// <summary>Whether the residual stream is float32 whatever the type of the weights.</summary>
    public bool WideResidual { get; init; } = true;

    internal override double Size => ((double)VocabularySize * Width) + ((double)Layers * Width * ((3.0 * Heads * HeadDimension) + (2.0 * Groups * StateSize) + Heads));

    /// <summary>The shape of a layer's mixer.</summary>
    internal Mamba2MixerOptions Mixer => new()
    {
        Width = Width,
        Heads = Heads,
        HeadDimension = HeadDimension,
        States = StateSize,
        Groups = Groups,
        Kernel = Kernel,
        Chunk = Chunk,
        Bias = Bias,
        ConvolutionBias = ConvolutionBias,
        Activation = Activation,
        NormEpsilon = NormEpsilon,
        LeastStep = LeastStep,
        MostStep = MostStep,
    };

    /// <summary>A Mamba-2 whose heads together are twice its width.</summary>
    /// <exception cref="ArgumentException">The numbers do not fit together.</exception>
    public static Mamba2Config Create(int layers, int width, int vocabularySize, int headDimension = 64, int stateSize = 128, int groups = 1, bool tieEmbeddings = true) => new Mamba2Config
    {
        VocabularySize = vocabularySize,
        Width = width,
        Layers = layers,
        Heads = headDimension > 0 && 2 * width % headDimension == 0 ? 2 * width / headDimension : throw new ArgumentException($"twice the width {width} is not a multiple of head dimension {headDimension}"),
        HeadDimension = headDimension,
        StateSize = stateSize,
        Groups = groups,
        TieEmbeddings = tieEmbeddings,
    }.Validated();

    /// <summary>Reads <c>config.json</c> from a folder. What it leaves out has the value that Hugging Face's transformers gives it.</summary>
    /// <exception cref="NotSupportedException">An option that the toolkit does not have.</exception>
    /// <exception cref="InvalidDataException">The file is no configuration of this family, or the numbers do not fit together.</exception>
    public static Mamba2Config Load(string folder) => ConfigFile.Read(folder, Read);

    /// <summary>This configuration, checked.</summary>
    /// <exception cref="ArgumentException">The numbers do not fit together.</exception>
    public Mamba2Config Validated()
    {
        RequirePositive(
            ("vocabulary size", VocabularySize), ("width", Width), ("layers", Layers), ("heads", Heads), ("head dimension", HeadDimension), ("state size", StateSize),
            ("groups", Groups), ("kernel", Kernel), ("chunk", Chunk), ("largest step", MostStep));
        if ((long)Heads * HeadDimension > int.MaxValue / 8 || (long)Groups * StateSize > int.MaxValue / 8)
        {
            throw new ArgumentException($"{Heads} heads of {HeadDimension} rows or {Groups} groups of {StateSize} columns are too many");
        }

        return Heads % Groups == 0 ? this : throw new ArgumentException($"heads {Heads} is not a multiple of groups {Groups}");
    }

    internal static Mamba2Config Read(ConfigReader file)
    {
        var width = file.Int(4096, "hidden_size");
        var limits = file.Limits("time_step_limit") ?? (0, double.PositiveInfinity);
        var config = new Mamba2Config
        {
            VocabularySize = file.Int(32768, "vocab_size"),
            Width = width,
            Layers = file.Int(64, "num_hidden_layers"),
            NormEpsilon = file.Number("layer_norm_epsilon", 1e-5),
            TieEmbeddings = file.Flag("tie_word_embeddings", false),
            BeginTokenId = First(file.Ids("bos_token_id", 0)),
            EndTokenIds = new(file.Ids("eos_token_id", 2)),
            Heads = file.Int(128, "num_heads"),
            HeadDimension = file.Int(64, "head_dim"),
            StateSize = file.Int(128, "state_size"),
            Groups = file.Int(8, "n_groups"),
            Kernel = file.Int(4, "conv_kernel"),
            Chunk = file.Int(256, "chunk_size"),
            Bias = file.Flag("use_bias", false),
            ConvolutionBias = file.Flag("use_conv_bias", true),
            LeastStep = limits.Least,
            MostStep = limits.Most,
            Activation = DecoderFamily.ReadActivation(file, "hidden_act", "silu"),
            WideResidual = file.Flag("residual_in_fp32", true),
        }.Validated();
        var inner = StateSpaceFields.Inner(file, width);
        return inner == config.Mixer.Inner
            ? config
            : throw new InvalidDataException($"expand times width is {inner}, but {config.Heads} heads of {config.HeadDimension} rows are {config.Mixer.Inner}");
    }

    private protected override void Fill(JsonObject json)
    {
        json["architectures"] = new JsonArray("Mamba2ForCausalLM");
        json["expand"] = (double)Mixer.Inner / Width is var ratio && ratio == Math.Floor(ratio) ? (JsonNode)(int)ratio : ratio;
        json["num_heads"] = Heads;
        json["head_dim"] = HeadDimension;
        json["state_size"] = StateSize;
        json["n_groups"] = Groups;
        json["conv_kernel"] = Kernel;
        json["chunk_size"] = Chunk;
        json["use_bias"] = Bias;
        json["use_conv_bias"] = ConvolutionBias;
        if (LeastStep != 0 || !double.IsPositiveInfinity(MostStep))
        {
            // Infinity has no number in JSON; transformers reads this object as one.
            json["time_step_limit"] = new JsonArray(LeastStep, double.IsPositiveInfinity(MostStep) ? new JsonObject { ["__float__"] = "Infinity" } : MostStep);
        }

        json["residual_in_fp32"] = WideResidual;
        json["hidden_act"] = DecoderFamily.NameOf(Activation);
    }
}
