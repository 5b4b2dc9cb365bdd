using System.Text.Json.Nodes;
using Toolkit.Layers;
using Toolkit.Ops;

namespace Toolkit.Models;

/// <summary>The shape of a <see cref="Mamba"/>.</summary>
public sealed record MambaConfig : RecurrentConfig
{
    /// <summary>What <c>model_type</c> says.</summary>
    public const string Family = "mamba";

    /// <inheritdoc/>
    public override string ModelType => Family;

    /// <summary>Channels of the scan.</summary>
    public required int InnerWidth { get; init; }

    /// <summary>Numbers of a channel's state.</summary>
    public int StateSize { get; init; } = 16;

    /// <summary>Width from which the step sizes are made.</summary>
    public required int StepRank { get; init; }

    /// <summary>Positions of the convolution.</summary>
    public int Kernel { get; init; } = 4;

    /// <summary>Whether the linears in and out have a bias.</summary>
    public bool Bias { get; init; }

    /// <summary>Whether the convolution has a bias.</summary>
    public bool ConvolutionBias { get; init; } = true;

    /// <summary>What the convolution passes through; the gate is always silu.</summary>
    public Activation Activation { get; init; }

    /// <summary>Whether the residual stream is float32 whatever the type of the weights.</summary>
    public bool WideResidual { get; init; } = true;

    internal override double Size => ((double)VocabularySize * Width) + ((double)Layers * InnerWidth * ((3.0 * Width) + (3.0 * StateSize) + (2.0 * StepRank) + Kernel));

    /// <summary>A Mamba whose inner width is twice its width and whose steps are made from a sixteenth of it.</summary>
    /// <exception cref="ArgumentException">A number is not positive.</exception>
    public static MambaConfig Create(int layers, int width, int vocabularySize, int stateSize = 16, bool tieEmbeddings = true) => new MambaConfig
    {
        VocabularySize = vocabularySize,
        Width = width,
        Layers = layers,
        InnerWidth = 2 * width,
        StateSize = stateSize,
        StepRank = (width + 15) / 16,
        TieEmbeddings = tieEmbeddings,
    }.Validated();

    /// <summary>Reads <c>config.json</c> from a folder. What it leaves out has the value that Hugging Face's transformers gives it.</summary>
    /// <exception cref="NotSupportedException">An option that the toolkit does not have.</exception>
    /// <exception cref="InvalidDataException">The file is no configuration of this family.</exception>
    public static MambaConfig Load(string folder) => ConfigFile.Read(folder, Read);

    /// <summary>This configuration, checked.</summary>
    /// <exception cref="ArgumentException">A number is not positive.</exception>
    public MambaConfig Validated()
    {
        RequirePositive(
            ("vocabulary size", VocabularySize), ("width", Width), ("layers", Layers), ("inner width", InnerWidth), ("state size", StateSize), ("step rank", StepRank),
            ("kernel", Kernel));
        return this;
    }

    internal static MambaConfig Read(ConfigReader file)
    {
        var width = file.Int(768, "hidden_size");
        return new MambaConfig
        {
            VocabularySize = file.Int(50280, "vocab_size"),
            Width = width,
            Layers = file.Int(32, "num_hidden_layers"),
            NormEpsilon = file.Number("layer_norm_epsilon", 1e-5),
            TieEmbeddings = file.Flag("tie_word_embeddings", true),
            BeginTokenId = First(file.Ids("bos_token_id", 0)),
            EndTokenIds = new(file.Ids("eos_token_id", 0)),
            InnerWidth = StateSpaceFields.Inner(file, width), // transformers computes it, whatever intermediate_size says
            StateSize = file.Int(16, "state_size"),
            StepRank = StateSpaceFields.Rank(file, width),
            Kernel = file.Int(4, "conv_kernel"),
            Bias = file.Flag("use_bias", false),
            ConvolutionBias = file.Flag("use_conv_bias", true),
            Activation = DecoderFamily.ReadActivation(file, "hidden_act", "silu"),
            WideResidual = file.Flag("residual_in_fp32", true),
        }.Validated();
    }

    private protected override void Fill(JsonObject json)
    {
        json["architectures"] = new JsonArray("MambaForCausalLM");
        json["expand"] = (double)InnerWidth / Width is var ratio && ratio == Math.Floor(ratio) ? (JsonNode)(int)ratio : ratio;
        json["intermediate_size"] = InnerWidth;
        json["state_size"] = StateSize;
        json["time_step_rank"] = StepRank;
        json["conv_kernel"] = Kernel;
        json["use_bias"] = Bias;
        json["use_conv_bias"] = ConvolutionBias;
        json["residual_in_fp32"] = WideResidual;
        json["hidden_act"] = DecoderFamily.NameOf(Activation);
    }
}

/// <summary>Fields that Mamba's and Mamba-2's files have in common.</summary>
internal static class StateSpaceFields
{
    /// <exception cref="InvalidDataException">It is no number of 32 bits.</exception>
    public static int Inner(ConfigReader file, int width) => file.Number("expand", 2) * width is var inner and > 0 and <= int.MaxValue / 4
        ? (int)inner
        : throw new InvalidDataException($"expand {file.Number("expand", 2)} times width {width} is no inner width");

    public static int Rank(ConfigReader file, int width) => file.IsText("time_step_rank", "auto") ? (width + 15) / 16 : file.Int((width + 15) / 16, "time_step_rank");
}
