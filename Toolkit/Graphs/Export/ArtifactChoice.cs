using System.Reflection;
using Toolkit.Graphs.Capture;
using Toolkit.Graphs.Il;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>A captured call that goes into an artifact, with the tensors that it is called with.</summary>
internal sealed class ArtifactChoice
{
    private readonly List<AccessPath> _paths = [];
    private readonly List<string> _constants = [];

    private ArtifactChoice(nn.Module module, Specialization captured)
    {
        Captured = captured;
        var names = ArgumentNames(module, captured);
        var arguments = new List<ArtifactManifest.ArgumentPart>();
        foreach (var guard in captured.Guards.Guards)
        {
            if (Same(guard) is var (path, twin) && path.IsArgument != twin.IsArgument)
            {
                throw new CompiledArtifactException($"{path} was the tensor of {twin} in the call that was captured, which a saved call cannot tell: call the module with tensors of their own, then save it");
            }

            if (!guard.Path.IsArgument)
            {
                continue;
            }

            if (guard is TensorGuard { Check.Type: var type })
            {
                arguments.Add(new(Name(guard.Path, names), DataTypes.Name(type.DType), [.. type.Shape], type.Device));
                _paths.Add(guard.Path);
            }
            else if (guard is AliasGuard { AreSame: true } alias)
            {
                var other = PlaceOf(alias.Other);
                arguments.Add(arguments[other] with { Name = Name(guard.Path, names), SameAs = other });
                _paths.Add(guard.Path);
            }
            else if (guard is MemoryGuard { AreOne: true } one)
            {
                var (first, second) = (PlaceOf(one.Path), PlaceOf(one.Other));
                arguments[Math.Max(first, second)] = arguments[Math.Max(first, second)] with { SameAs = Math.Min(first, second) };
            }
            else if (guard is not (AliasGuard or MemoryGuard))
            {
                _constants.Add(guard.ToString()!);
            }
        }

        Arguments = arguments;
    }

    /// <summary>The call.</summary>
    public Specialization Captured { get; }

    /// <summary>Its tensors, in order.</summary>
    public IReadOnlyList<ArtifactManifest.ArgumentPart> Arguments { get; }

    /// <summary>Those that stand for the module as it is now.</summary>
    /// <param name="module">The module.</param>
    /// <param name="captured">Its captured calls.</param>
    /// <param name="isForOnnx">Whether they are for an ONNX model, whose exporter says itself which operators it lacks.</param>
    /// <exception cref="CompiledArtifactException">There is none, or one cannot be saved.</exception>
    public static IReadOnlyList<ArtifactChoice> Of(nn.Module module, IReadOnlyList<Specialization> captured, bool isForOnnx = false)
    {
        if (captured.Count == 0)
        {
            throw new CompiledArtifactException("nothing was captured yet: call the compiled module first (Explain() tells why a call was not captured)");
        }

        var current = captured.Where(entry => entry.Guards.StateFailure() is null).ToArray();
        if (current.Length == 0)
        {
            throw new CompiledArtifactException($"every captured graph is for another state of the module ({captured[^1].Guards.StateFailure()} no longer): call it once as it is now, then save it");
        }

        var choices = new List<ArtifactChoice>();
        foreach (var choice in current.Select(entry => new ArtifactChoice(module, entry)))
        {
            var same = choices.FindIndex(choice.TakesTheSame);
            if (same < 0)
            {
                choices.Add(choice);
            }
            else if (choices[same]._constants.SequenceEqual(choice._constants))
            {
                choices[same] = choice;
            }
            else
            {
                var (first, second) = choices[same]._constants.Zip(choice._constants).First(pair => pair.First != pair.Second);
                throw new CompiledArtifactException($"two graphs take tensors of the same types and differ in what else they are given ({first}; {second}): an artifact is called with tensors alone");
            }
        }

        choices.ForEach(choice => choice.RequireSavable(choices, isForOnnx));
        return choices;
    }

    /// <summary>The place of an argument's tensor.</summary>
    public int PlaceOf(AccessPath path) => _paths.FindIndex(other => ReferenceEquals(other, path) || other.ToString() == path.ToString()) is >= 0 and var place
        ? place
        : throw new CompiledArtifactException($"{path} is read and is not among the arguments' tensors");

    /// <summary>The paths of one and the same tensor; null where a guard is about something else.</summary>
    private static (AccessPath Path, AccessPath Other)? Same(Guard guard) => guard switch
    {
        AliasGuard { AreSame: true } alias => (alias.Path, alias.Other),
        MemoryGuard { AreOne: true } memory => (memory.Path, memory.Other),
        _ => null,
    };

    private bool TakesTheSame(ArtifactChoice other) => Arguments.Count == other.Arguments.Count
        && Arguments.Zip(other.Arguments).All(pair => pair.First.DType == pair.Second.DType && pair.First.Shape.SequenceEqual(pair.Second.Shape) && pair.First.Device == pair.Second.Device
            && pair.First.SameAs == pair.Second.SameAs);

    private void RequireSavable(IReadOnlyList<ArtifactChoice> all, bool isForOnnx)
    {
        string[] opaque = [.. Captured.Graph.Nodes.Where(node => !ReferenceEquals(Operators.Find(node.Operator.Name), node.Operator)).GroupBy(node => node.Operator.Name)
            .Select(group => group.First().Origin is var origin && origin == Origin.None ? group.Key : $"{group.Key} ({origin})")];
        if (opaque.Length > 0 && !isForOnnx)
        {
            throw new CompiledArtifactException($"calls that no operator stands for cannot be saved: {string.Join(", ", opaque)}");
        }

        foreach (var effect in Captured.Fields)
        {
            if (all.Any(choice => choice.Captured.Guards.Guards.Select(guard => guard.Path).Concat(choice.Captured.Inputs).Any(path => path.Reads(effect.Owner, effect.Field))))
            {
                throw new CompiledArtifactException(
                    $"each call leaves something new in {MemberNames.Of(effect.Field)} and reads it again: keep what stays between calls in a tensor and change it in place (copy_)");
            }
        }

        if (Captured.Frees.FirstOrDefault(free => !free.Path.IsArgument) is { } freed)
        {
            throw new CompiledArtifactException($"each call frees {freed.Path}, which an artifact cannot do");
        }
    }

    private static string Name(AccessPath path, string[] names)
    {
        var text = path.ToString()!;
        var end = text.AsSpan("argument ".Length).IndexOfAnyExceptInRange('0', '9');
        var number = end < 0 ? text["argument ".Length..] : text.Substring("argument ".Length, end);
        return names[int.Parse(number, System.Globalization.CultureInfo.InvariantCulture)] + text[("argument ".Length + number.Length)..];
    }

    /// <summary>What the module's own forward calls its parameters.</summary>
    private static string[] ArgumentNames(nn.Module module, Specialization captured)
    {
        var count = captured.Guards.Guards.Count(guard => guard.Path.IsArgument) + captured.Inputs.Count;
        var forward = module.GetType().GetMethods(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic).FirstOrDefault(method => method.Name == "forward" && !method.IsAbstract);
        return [.. Enumerable.Range(0, count + 1).Select(i => i < (forward?.GetParameters().Length ?? 0) ? forward!.GetParameters()[i].Name! : FormattableString.Invariant($"input{i}"))];
    }
}
