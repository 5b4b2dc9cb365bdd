using System.Reflection;
using Toolkit.Graphs.Il;
using Toolkit.Ops;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <content>Operations.</content>
internal sealed partial class Tracer
{
    private Tensor? _generator;

    /// <inheritdoc/>
    public override object? Leaf(MethodBase method, object? self, object?[] arguments, Func<object?> run)
    {
        if (!IsOpening)
        {
            return run();
        }

        if (method.DeclaringType == typeof(Ops.CpuKernel))
        {
            return false; // loops over memory cannot be followed: the engine's operations take their plain definitions
        }

        WatchGiven(arguments);
        Materialise(arguments);
        if ((TorchSharpApi.Break(method, arguments) ?? Unknown(self, arguments)) is var (reason, advice) && !IsHandleForTorchSharp(method))
        {
            End(reason, advice);
            return Interpreter.IsSuspended ? null : run();
        }

        if (method.Name == "get_Handle")
        {
            return run();
        }

        var operation = method.GetCustomAttribute<GraphOperatorAttribute>()?.Name;
        if (_generator is null && LoweringTable.IsRandom(method, self, arguments))
        {
            using var _ = NewDisposeScope();
            _generator = get_rng_state().DetachFromDisposeScope();
        }

        _builder.Origin = Here();
        var call = new LeafCall(this, method, operation, self, arguments);
        if (CanOpen(call))
        {
            return call.RunOpened(run);
        }

        var result = run();
        _isDone = true;
        call.Record(result);
        _isDone = false;
        return result;
    }

    /// <summary>Lets the generator of random numbers stand where it stood before the call.</summary>
    public void RestoreGenerator()
    {
        if (_generator is not null)
        {
            set_rng_state(_generator);
        }
    }

    /// <summary>Frees what it kept.</summary>
    public void Dispose() => _generator?.Dispose();

    /// <summary>Sequences are gone through once, here.</summary>
    private static void Materialise(object?[] arguments)
    {
        for (var i = 0; i < arguments.Length; i++)
        {
            if (arguments[i] is IEnumerable<Tensor> sequence and not (Tensor[] or List<Tensor>))
            {
                arguments[i] = sequence.ToArray();
            }
        }
    }

    /// <summary>What collections from outside hold becomes part of the graph.</summary>
    private void WatchGiven(object?[] arguments)
    {
        foreach (var argument in arguments)
        {
            if ((argument is SpanValue span ? span.Array : argument) is System.Collections.IEnumerable and not string and var given && _outer.Contains(given) && !_created.Contains(given))
            {
                WatchContents(given);
            }
        }
    }

    private (string Reason, string Advice)? Unknown(object? self, object?[] arguments)
    {
        foreach (var tensor in arguments.Append(self).SelectMany(OpaqueCall.TensorsIn))
        {
            if (_tensors.Find(tensor) is null)
            {
                return ("a tensor comes from where it cannot be followed", "keep tensors in fields of the module, or make them in forward");
            }
        }

        return null;
    }

    /// <summary>TorchSharp's own code compares handles to see whether two tensors are one.</summary>
    private bool IsHandleForTorchSharp(MethodBase method) =>
        method.Name == "get_Handle" && Interpreter.Position(_ => true) is var (caller, _) && caller.Module.Assembly == TorchSharpApi.Assembly;
}
