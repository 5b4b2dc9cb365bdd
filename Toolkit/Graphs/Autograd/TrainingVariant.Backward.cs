using System.Collections.Concurrent;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Autograd;

/// <content>The backward pass, as autograd calls it.</content>
internal sealed partial class TrainingVariant
{
    /// <summary>Greatest difference of the gradients that autograd takes of the forward graph from those of the compiled pass, relative to the greatest value.</summary>
    private const double Tolerance = 1e-3;

    private static readonly Scalar _nan = double.NaN.ToScalar();

    // By thread: what one thread's backward pass returned, native code on that thread reads after it has returned.
    private readonly ConcurrentDictionary<int, (List<Tensor?> Returned, List<Tensor> Handed)> _given = [];

    /// <summary>Why the compiled backward pass failed; null where it did not.</summary>
    public string? Failure { get; private set; }

    /// <summary>Whether whoever asked for the backward pass that failed was told.</summary>
    public bool IsFailureTold { get; private set; }

    private volatile bool _freesAtEnd;

    private int Saved => Partition.SavedOutputs.Length + Partition.SavedInputs.Length;

    /// <summary>
    /// Gradients for autograd; never throws, for an exception that left here would end the process. Whoever asked for the backward pass is told by <see cref="BackwardPass"/> what went wrong.
    /// </summary>
    /// <param name="context">Where tensors are kept.</param>
    /// <param name="call">The call.</param>
    /// <param name="gradients">Of the outputs; those that are not used are none.</param>
    /// <returns>One for each thing that the function was given.</returns>
    public List<Tensor> RunBackward(autograd.AutogradContext context, TrainingCall call, List<Tensor> gradients)
    {
        Tensor?[] made = new Tensor?[_sources.Length];
        List<Tensor> handed = [];
        try
        {
            using var scope = NewDisposeScope();
            var given = gradients.Select(gradient => gradient is { IsInvalid: false }).ToArray();
            if (given.Any(isGiven => isGiven))
            {
                call.RequireSaved(_paths.Readers, given);
                made = is_grad_enabled() ? Higher(context, gradients, given) : Compiled(context, gradients, given, handed);
            }

            if (!BackwardPass.KeepsGraph)
            {
                call.Free(context, _paths.Readers, given);
            }
        }
        catch (Exception problem)
        {
            made = Failed(problem.Message.Split('\n')[0]);
        }

        foreach (var gradient in gradients)
        {
            gradient?.Dispose();
        }

        // Native code reads the handles after this has returned: nobody may finalise them until the pass is over.
        Free();
        List<Tensor?> result = [null, .. made];
        var thread = Environment.CurrentManagedThreadId;
        _given[thread] = (result, handed);
        _freesAtEnd = BackwardPass.AtEnd(() => Free(thread));
        return result!;
    }

    private Tensor?[] Compiled(autograd.AutogradContext context, List<Tensor> gradients, bool[] given, List<Tensor>? handed)
    {
        Tensor[] inputs = [.. Joint.Seeded.Select((output, i) => given[i] ? Typed(gradients[i], output) : Zeros(Partition.Forward.Outputs[output].Type)), .. SavedTensors.Take(context, 0, Saved)];
        Tensor[] made;
        try
        {
            made = _backward.Run(inputs);
        }
        catch (Exception problem)
        {
            Failure = problem.Message.Split('\n')[0];
            throw new GraphException($"the compiled backward pass failed: {Failure}; further calls run operation by operation", problem);
        }

        // As in eager code, there is no gradient where nothing that backpropagates leads to.
        var results = _sources.Select(source => Joint.Sources.IndexOf(source))
            .Select(place => _paths.OfGradients[place].Length == 0 || Array.Exists(_paths.OfGradients[place], seed => given[seed]) ? made[place].DetachFromDisposeScope() : null).ToArray();
        handed?.AddRange(HandedGradients.Add(results, inputs));
        return results;
    }

    /// <summary>Gradients that have gradients. At first they are held against those of the compiled pass: what a program cuts off from gradients must be cut off here too.</summary>
    private Tensor?[] Higher(autograd.AutogradContext context, List<Tensor> gradients, bool[] given)
    {
        if (!SavedTensors.IsAvailable)
        {
            throw new GraphException("gradients of gradients cannot be taken through a compiled module with this TorchSharp: run the module as it is for them");
        }

        var seeds = given.Select((isGiven, i) => isGiven ? Typed(gradients[i], Joint.Seeded[i]) : null).ToArray();
        var made = _higher.Take(SavedTensors.Take(context, 0, Saved + _higher.Kept), input => _constants[input - Joint.Arguments]!, seeds, _sources);
        if (!_higher.IsTried)
        {
            using var still = no_grad();
            var expected = Compiled(context, gradients, given, null);
            if (TrainingTrial.Difference(made, expected, Tolerance) is { } difference)
            {
                throw new GraphException($"gradients of gradients cannot be taken through this compiled module, for {difference}: run the module as it is for them");
            }

            _higher.IsTried = true;
            Array.ForEach(expected, gradient => gradient?.Dispose());
        }

        return [.. made.Select(gradient => gradient?.DetachFromDisposeScope())];
    }

    /// <summary>Where the caller is told there are no gradients; where libtorch wants all of them, and where nobody is told before the next call, they are not numbers.</summary>
    private Tensor?[] Failed(string message)
    {
        var isTold = BackwardPass.Fail(message) && _sources.All(source => Joint.Graph.Inputs[source].Type.Device == "cpu");
        (Failure, IsFailureTold) = (Failure ?? (isTold ? null : message), isTold);
        return [.. _sources.Select(source => isTold && !BackwardPass.MustGiveAll ? null : NotANumber(Joint.Graph.Inputs[source].Type))];
    }

    private Tensor Typed(Tensor gradient, int output) => gradient.dtype == Partition.Forward.Outputs[output].Type.DType ? gradient : gradient.to(Partition.Forward.Outputs[output].Type.DType);

    private static Tensor Zeros(TensorType type) => zeros(type.Shape.ToArray(), type.DType, new Device(type.Device));

    private static Tensor NotANumber(TensorType type) => full(type.Shape.ToArray(), _nan, type.DType, new Device(type.Device)).DetachFromDisposeScope();

    private void Free() => Free(Environment.CurrentManagedThreadId);

    private void Free(int thread)
    {
        if (!_given.TryRemove(thread, out var given))
        {
            return;
        }

        HandedGradients.Remove(given.Handed);
        foreach (var tensor in given.Returned)
        {
            tensor?.Dispose();
        }
    }
}
