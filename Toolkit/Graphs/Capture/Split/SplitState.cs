using System.Reflection;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>What is known of a call that is split into graphs, from its beginning to its end.</summary>
internal sealed class SplitState(object?[] arguments, Splitter splitter)
{
    private int _locks;

    /// <summary>What the call was given.</summary>
    public object?[] Arguments => arguments;

    /// <summary>Fields that the module gives another number in each call.</summary>
    public IReadOnlySet<FieldInfo> Changing => splitter.ChangingFields;

    /// <summary>Objects that were made in the call: nobody outside knows them, so others may stand for them.</summary>
    public HashSet<object> Created { get; } = new(ReferenceEqualityComparer.Instance);

    /// <summary>Objects of the program that the call was given, or found in them: other calls are given others.</summary>
    public HashSet<object> Given { get; } = new(ReferenceEqualityComparer.Instance);

    /// <summary>Scopes that the call opened and has not closed yet, outer ones first.</summary>
    public List<Regime> Regimes { get; } = [];

    /// <summary>Why the rest of the call is not split; null where it is.</summary>
    public string? Obstacle { get; private set; }

    /// <summary>Whether something happened that would happen again if the call were begun anew.</summary>
    public bool HasEffects { get; set; }

    /// <summary>Why it could not go on after something had happened that cannot happen again; null where it could.</summary>
    public string? Loss { get; private set; }

    /// <summary>Whether a part of it was captured.</summary>
    public bool IsCaptured { get; set; }

    /// <summary>Whether it holds a lock.</summary>
    public bool HoldsLock => _locks > 0;

    /// <summary>Gives up splitting the rest.</summary>
    public void Stop(string reason) => Obstacle ??= reason;

    /// <summary>What is thrown where it cannot go on.</summary>
    public InvalidOperationException Lose(string reason, Exception limit)
    {
        Loss = limit.Message;
        return new($"the call was stopped after it had changed something outside, by {reason}; leave that out of forward (further calls run as they are)", limit);
    }

    /// <summary>Looks at what a call of .NET did.</summary>
    public void Note(MethodBase method, object? self, object? result)
    {
        if (method.DeclaringType == typeof(Monitor))
        {
            _locks += method.Name is "Enter" or "TryEnter" ? 1 : method.Name == "Exit" ? -1 : 0;
        }

        switch (result)
        {
            case DisposeScope when method.Name == nameof(NewDisposeScope):
                Regimes.Add(new(result, null));
                break;
            case IDisposable when result.GetType().Name == "AutoGradMode":
                Regimes.Add(new(result, is_grad_enabled()));
                break;
            case IDisposable when result.GetType().Name == "InferenceMode":
                Stop("inference mode is switched on");
                break;
            case Array when method.DeclaringType?.Assembly == TorchSharpApi.Assembly || IsFresh(method):
            case System.Collections.IList when IsFresh(method):
                Created.Add(result);
                break;
        }
    }

    /// <summary>A scope was closed.</summary>
    public bool Close(object regime) => Regimes.RemoveAll(open => ReferenceEquals(open.Value, regime)) > 0;

    /// <summary>Opens a scope as the call did when it was captured.</summary>
    public void Open(bool? grad) => Regimes.Add(grad is { } on ? new(on ? enable_grad() : no_grad(), on) : new(NewDisposeScope(), null));

    /// <summary>The place of a scope of this call that owns a tensor; -1 where none does.</summary>
    public int OwnerOf(Tensor tensor) => Regimes.FindLastIndex(regime => regime.Value is DisposeScope scope && scope.Contains(tensor));

    /// <summary>The place of a scope of this call; -1 where it is none.</summary>
    public int IndexOf(object value) => Regimes.FindIndex(regime => ReferenceEquals(regime.Value, value));

    private static bool IsFresh(MethodBase method) => method.Name is "ToArray" or "ToList" or "GetRange" or "Clone" or "ConvertAll" or "FindAll" && method.DeclaringType?.Namespace?.StartsWith("System", StringComparison.Ordinal) == true;
}

/// <summary>A scope in which a part of a call runs.</summary>
/// <param name="Value">What closes it.</param>
/// <param name="Grad">Whether gradients are recorded in it; null for a scope that owns tensors.</param>
internal sealed record Regime(object Value, bool? Grad);
