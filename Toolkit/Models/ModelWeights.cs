using Toolkit.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Models;

/// <summary>How the parameters of any model get their values from a checkpoint.</summary>
internal static class ModelWeights
{
    /// <summary>
    /// Throws where a checkpoint cannot hold a model of this size, before memory is taken for one: a file that says less than its configuration
    /// must not cost more than it is worth.
    /// </summary>
    /// <exception cref="CheckpointException">It has too few or too small tensors.</exception>
    public static void RequireRoom(Checkpoint checkpoint, int layers, double numbers)
    {
        if (checkpoint.Names.Count < layers)
        {
            throw new CheckpointException($"{checkpoint.Path} holds {checkpoint.Names.Count} tensors, {layers} layers need more");
        }

        var stored = checkpoint.Names.Sum(name => checkpoint.Entry(name).Shape.Aggregate(1.0, (count, extent) => count * extent));
        if (stored < numbers)
        {
            throw new CheckpointException($"{checkpoint.Path} holds {stored:0} numbers, the configuration asks for {numbers:0} or more");
        }
    }

    /// <summary>Copies the tensors of a checkpoint into the parameters of a model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="checkpoint">The file.</param>
    /// <param name="otherNames">Further names under which files may have a parameter, by its own name.</param>
    /// <param name="isRedundant">Whether a tensor that is no parameter may be there.</param>
    /// <param name="map">Whether parameters of the file's own type may become views of its map, which takes neither time nor memory.</param>
    /// <exception cref="CheckpointException">A tensor is missing, unexpected or of another shape.</exception>
    public static void Read(nn.Module model, Checkpoint checkpoint, Func<string, IEnumerable<string>> otherNames, Func<string, bool> isRedundant, bool map)
    {
        using var noGradient = no_grad();
        var parameters = model.named_parameters().ToDictionary(p => otherNames(p.name).Prepend(p.name).FirstOrDefault(checkpoint.Contains) ?? p.name, p => p.parameter);
        var missing = parameters.Keys.Where(name => !checkpoint.Contains(name)).ToArray();
        var unexpected = checkpoint.Names.Where(name => !parameters.ContainsKey(name) && !isRedundant(name)).ToArray();
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

            if (map && stored.dtype == parameter.dtype && !OperatingSystem.IsWindows())
            {
                // The map is private: training changes memory, not the file. Windows would not let a file be replaced while it is mapped.
                parameter.set_(stored);
            }
            else
            {
                parameter.copy_(stored);
            }
        }
    }

    private static string List(string[] names) =>
        names.Length == 0 ? "" : $" ({string.Join(", ", names.Take(4))}{(names.Length > 4 ? ", ..." : "")})";
}
