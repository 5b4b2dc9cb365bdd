using Toolkit.Checkpoints;
using TorchSharp;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Toolkit.Models;

/// <summary>How the parameters of a <see cref="Decoder"/> get their values: at random, or from a checkpoint.</summary>
internal static class DecoderWeights
{
    private const double Deviation = 0.02;
    private const string TiedHead = "lm_head.weight";

    public static void Initialise(Decoder model, long seed)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        using var generator = new Generator((ulong)seed);
        foreach (var (name, parameter) in model.named_parameters())
        {
            if (name.EndsWith(".bias", StringComparison.Ordinal))
            {
                parameter.zero_();
            }
            else if (parameter.dim() == 2)
            {
                var writesResidual = name.EndsWith("o_proj.weight", StringComparison.Ordinal) || name.EndsWith("down_proj.weight", StringComparison.Ordinal);
                parameter.normal_(0, writesResidual ? Deviation / Math.Sqrt(2.0 * model.Config.Layers) : Deviation, generator);
            }
        }
    }

    /// <exception cref="CheckpointException">A tensor is missing, unexpected or of another shape.</exception>
    public static void Read(Decoder model, Checkpoint checkpoint)
    {
        using var noGradient = no_grad();
        var parameters = model.named_parameters().ToDictionary(p => p.name, p => p.parameter);
        var missing = parameters.Keys.Where(name => !checkpoint.Contains(name)).ToArray();
        var unexpected = checkpoint.Names.Where(name => !parameters.ContainsKey(name) && !IsRedundant(model, name)).ToArray();
        if (missing.Length + unexpected.Length > 0)
        {
            throw new CheckpointException(
                $"{checkpoint.Path} does not hold this model: {missing.Length} tensors missing{List(missing)}, {unexpected.Length} unexpected{List(unexpected)}");
        }

        foreach (var (name, parameter) in parameters)
        {
            using var scope = NewDisposeScope();
            var stored = checkpoint.Load(name);
            if (!stored.shape.AsSpan().SequenceEqual(parameter.shape))
            {
                throw new CheckpointException(
                    $"{checkpoint.Path}: tensor \"{name}\" has shape ({string.Join(", ", stored.shape)}), the configuration asks for ({string.Join(", ", parameter.shape)})");
            }

            parameter.copy_(stored);
        }
    }

    /// <summary>Older files keep the rotary frequencies, and some keep a tied head twice: both are implied.</summary>
    private static bool IsRedundant(Decoder model, string name) =>
        name.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal) || (name == TiedHead && model.Config.TieEmbeddings);

    private static string List(string[] names) =>
        names.Length == 0 ? "" : $" ({string.Join(", ", names.Take(4))}{(names.Length > 4 ? ", ..." : "")})";
}
