using System.Collections;
using System.Reflection;
using Toolkit.Graphs.Il;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <content>Calls that .NET runs.</content>
internal sealed partial class Tracer
{
    private readonly List<(Tensor Tensor, AccessPath Path)> _disposed = [];
    private readonly HashSet<Tensor> _detached = new(ReferenceEqualityComparer.Instance);

    /// <inheritdoc/>
    public override void BeforeNative(MethodBase method, object? self, object?[] arguments)
    {
        if (!IsOpening || Classify(method) == Il.CallKind.Leaf)
        {
            return;
        }

        Numbers?.Call(method, self, arguments);
        PinHandedOn(method, self, arguments);
        var type = method.DeclaringType!;
        if (EndsRegime(method, self))
        {
            return;
        }

        if (type.Assembly == TorchSharpApi.Assembly)
        {
            OfTorchSharp(method, type, self, arguments);
        }
        else if (type == typeof(Interruption))
        {
            HeedsInterruption = true;
        }
        else if (type.Assembly == typeof(Tracer).Assembly)
        {
            End($"{MemberNames.Of(method)} is not captured", "call it outside of forward");
        }
        else if (HostApi.Break(method, self, arguments) is var (reason, advice))
        {
            End(reason, advice);
        }

        if (IsOpening)
        {
            Receiver(method, self, arguments);
        }
    }

    /// <inheritdoc/>
    public override void AfterNative(MethodBase method, object? self, object?[] arguments, object? result)
    {
        if (!IsOpening)
        {
            return;
        }

        if (Numbers is not null && Classify(method) != Il.CallKind.Leaf)
        {
            Numbers.Return(method, self, result);
        }

        if (self is null && result is nn.Module && method is MethodInfo { IsStatic: true, Module.Assembly: var assembly } && assembly == TorchSharpApi.Assembly)
        {
            Created(result);
        }

        _call?.Note(method, self, result);
        _isDone = true;
        if (self is not null && method is MethodInfo { IsSpecialName: true } getter && arguments.Length == 0 && (self is nn.Module || HostApi.GivesWhatStays(method)) && _outer.Contains(self)
            && _seenGetters.Add((self, getter)))
        {
            Watch(AccessPath.Getter(self, getter), result);
        }

        if (self is Tensor tensor)
        {
            Scope(method, tensor);
        }

        _isDone = false;
    }

    private static readonly MethodInfo _training = typeof(nn.Module).GetProperty(nameof(nn.Module.training))!.GetMethod!;
    private readonly HashSet<(object, MethodInfo)> _seenGetters = [];

    /// <summary>Whether the call asks if it should end: a compiled call asks too.</summary>
    public bool HeedsInterruption { get; private set; }

    /// <summary>Tensors that no scope owns any more.</summary>
    public IReadOnlySet<Tensor> Detached => _detached;

    /// <summary>Tensors from outside that were freed.</summary>
    public IReadOnlyList<(Tensor Tensor, AccessPath Path)> Disposed => _disposed;

    private void WatchTraining(nn.Module module)
    {
        if (_seenGetters.Add((module, _training)))
        {
            Watch(AccessPath.Getter(module, _training), module.training);
        }
    }

    private void Scope(MethodBase method, Tensor tensor)
    {
        switch (method.Name)
        {
            case "DetachFromDisposeScope" or "DetatchFromDisposeScope":
                _detached.Add(tensor);
                break;
            case "MoveToOuterDisposeScope" or "MoveToOtherDisposeScope":
                _detached.Remove(tensor);
                break;
            case "Dispose" when _tensors.SourceOf(tensor) is { } path:
                _disposed.Add((tensor, path));
                HasChangedOutside = true;
                break;
        }
    }

    private void OfTorchSharp(MethodBase method, Type type, object? self, object?[] arguments)
    {
        var name = method.Name;
        if (name is "no_grad" or "enable_grad" or "set_grad_enabled" or "inference_mode" || (method.IsConstructor && type.Name is "AutoGradMode" or "InferenceMode"))
        {
            var isOff = name == "no_grad" || (method.IsConstructor && type.Name == "AutoGradMode" && arguments is [false, ..]);
            (TurnsGradOff, SwitchesGrad) = (TurnsGradOff || isOff, SwitchesGrad || !isOff);
        }
        else if (name.Contains("seed", StringComparison.Ordinal) || name is "set_rng_state" or "set_default_dtype" or "set_default_device" or "set_num_threads" or "rand_float" or "randn_float"
            || name.StartsWith("randint_", StringComparison.Ordinal))
        {
            End(MemberNames.Of(method), "call it outside of forward");
        }
        else if (method is MethodInfo { IsStatic: true } factory && typeof(nn.Module).IsAssignableFrom(factory.ReturnType) && arguments.All(argument => argument is not nn.Module))
        {
            Make(name, () => Il.NativeCall.Run(method, null, arguments, isVirtual: false));
        }
        else if (typeof(nn.Module).IsAssignableFrom(type) && method is ConstructorInfo constructor)
        {
            // A constructor that is called on an object is that of the base of a module of the program.
            Make(type.Name, () => self is null ? Il.NativeCall.Construct(constructor, arguments) : null);
        }
        else if (TorchSharpApi.IsModule(type) && name is "register_module" or "train" or "eval" or "load" or "save" && !(self is nn.Module && _created.Contains(self) && name is "train" or "eval"))
        {
            End(MemberNames.Of(method), "call it outside of forward");
        }
        else if (self is Tensor tensor && name == "Dispose")
        {
            _ = _tensors.Find(tensor);
        }
    }

    /// <summary>A module that is made in the call: one without tensors is as good as a function, one with weights has new ones in each call.</summary>
    private void Make(string name, Func<object?> make)
    {
        using var scope = NewDisposeScope();
        var generator = get_rng_state();
        using var made = make() as nn.Module;
        set_rng_state(generator);
        if (made is null)
        {
            End($"a {name} is made", "make modules in the constructor");
        }
        else if (made.state_dict().Count > 0 || made.parameters().Any())
        {
            End($"a {name} is made, which has new weights in each call", "make modules with weights in the constructor");
        }
    }

    /// <summary>Objects from outside that a call works on: what they hold must stay the same, and must not be changed.</summary>
    private void Receiver(MethodBase method, object? self, object?[] arguments)
    {
        var isGiven = self is not null && _givenCollections.Contains(self);
        if (self is not null && (isGiven || _outer.Contains(self)) && !_created.Contains(self) && self is not (nn.Module or Tensor or Scalar or Device))
        {
            if (self is IEnumerable and not string)
            {
                if (HostApi.OnlyReads(method))
                {
                    if (!isGiven)
                    {
                        WatchContents(self);
                    }
                }
                else
                {
                    HasChangedOutside = true;
                    End($"{MemberNames.Of(method)} changes a collection that outlives the call", "keep what stays between calls in a tensor and use copy_");
                }
            }
            else if (!HostApi.IsImmutable(self) && !HostApi.GivesWhatStays(method) && method.DeclaringType!.Assembly != TorchSharpApi.Assembly && method.DeclaringType != typeof(object) && !method.IsConstructor)
            {
                End($"{MemberNames.Of(method)} may change between calls", "read it outside of forward");
            }
        }

        foreach (var argument in arguments)
        {
            var isFromOutside = argument is IEnumerable and not string && (_outer.Contains(argument) || _givenCollections.Contains(argument)) && !_created.Contains(argument);
            if (!isFromOutside)
            {
                continue;
            }

            if (method.DeclaringType == typeof(System.Runtime.InteropServices.CollectionsMarshal))
            {
                HasChangedOutside |= method.Name == "SetCount";
                End($"CollectionsMarshal.{method.Name} may change a collection that outlives the call", "read its elements, and keep what stays between calls in a tensor");
            }
            else if (_outer.Contains(argument!))
            {
                WatchContents(argument!);
            }
        }
    }
}
