using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Autograd;

/// <summary>Holds compiled graphs against the run that they were recorded from.</summary>
internal static class TrainingTrial
{
    /// <summary>Greatest difference, relative to the greatest value of a tensor.</summary>
    private const double Tolerance = 1e-5;

    /// <summary>
    /// A gradient this much smaller than the greatest one is what rounding left (that of a bias before a batch norm is zero in exact arithmetic): it is held against this part of the greatest.
    /// </summary>
    private const double Negligible = 0.1;

    /// <summary>Likewise of what a call leaves in its inputs: the running mean of what a convolution makes of normalised values is zero in exact arithmetic.</summary>
    private const double NegligibleAfter = 1e-3;

    /// <summary>What differs; null for nothing.</summary>
    public static string? Difference(TrainingVariant variant, JointRecording recording, IReadOnlyList<Tensor> held)
    {
        using var scope = NewDisposeScope();
        using var still = no_grad();
        using var generator = get_rng_state();
        try
        {
            var (results, arguments) = variant.Try(recording, held);
            var joint = variant.Joint;
            string Name(int i) => i < joint.Outputs ? $"output {i}" : $"the gradient of {joint.Graph.Inputs[joint.Sources[i - joint.Outputs]].Path}";
            var least = Negligible * recording.Results.Skip(joint.Outputs).Select(Greatest).DefaultIfEmpty().Max();

            var leastAfter = NegligibleAfter * recording.After.Where(tensor => tensor.is_floating_point()).Select(Greatest).DefaultIfEmpty().Max();
            return results.Zip(recording.Results).Select((pair, i) => Difference(pair.First, pair.Second, Name(i), i < joint.Outputs ? 0 : least)).FirstOrDefault(text => text is not null)
                ?? arguments.Zip(recording.After).Select((pair, i) => Difference(pair.First, pair.Second, $"{joint.Graph.Inputs[i].Path} after the call", leastAfter)).FirstOrDefault(text => text is not null);
        }
        finally
        {
            set_rng_state(generator);
        }
    }

    /// <summary>What differs of tensors that belong together, so that the greatest says what is next to nothing; null for nothing.</summary>
    public static string? Difference(IReadOnlyList<Tensor?> actual, IReadOnlyList<Tensor?> expected, double tolerance)
    {
        var least = Negligible * expected.OfType<Tensor>().Select(Greatest).DefaultIfEmpty().Max();
        return actual.Zip(expected).Select(pair => Difference(pair.First, pair.Second, tolerance, least)).FirstOrDefault(text => text is not null);
    }

    private static string? Difference(Tensor? actual, Tensor? expected, double tolerance, double least) =>
        actual is null || expected is null ? (actual is null) == (expected is null) ? null : "a tensor is there that should not be, or is not there"
            : Distance(actual.detach(), expected.detach(), least) is var distance && distance <= tolerance ? null : FormattableString.Invariant($"a tensor is off by {distance:g2} of its greatest value");

    private static string? Difference(Tensor actual, Tensor expected, string name, double least)
    {
        if (TensorType.Of(actual) != TensorType.Of(expected))
        {
            return $"{name} is {TensorType.Of(actual)} and should be {TensorType.Of(expected)}";
        }

        return Distance(actual, expected, least) is var distance && !(distance <= Tolerance) ? FormattableString.Invariant($"{name} is off by {distance:g2} of its greatest value") : null;
    }

    /// <summary>The greatest finite value, without its sign.</summary>
    private static double Greatest(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.numel() == 0 ? 0 : tensor.to(ScalarType.Float64).abs().nan_to_num(0, 0, 0).max().item<double>();
    }

    private static double Distance(Tensor actual, Tensor expected, double least)
    {
        using var scope = NewDisposeScope();
        var (a, b) = (actual.to(ScalarType.Float64), expected.to(ScalarType.Float64));
        if (a.numel() == 0)
        {
            return 0;
        }

        // Values of fewer bits are compared at their own precision.
        var slack = expected.dtype is ScalarType.BFloat16 or ScalarType.Float16 ? 1e-3 : 1;
        var finite = b.isfinite();
        var distance = a.sub(b).where(finite, a.ne(b).logical_and(a.isnan().logical_and(b.isnan()).logical_not()).to(ScalarType.Float64)).abs().max().item<double>();
        return distance / Math.Max(Math.Max(Greatest(expected), least), 1e-6) * slack;
    }
}
