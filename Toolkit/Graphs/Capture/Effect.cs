using System.Reflection;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>What a call does besides returning something: done again after each run of its graph.</summary>
internal abstract class Effect
{
    /// <summary>Does it.</summary>
    /// <param name="arguments">Of the call.</param>
    /// <param name="tensors">The tensors of the run.</param>
    public abstract void Apply(object?[] arguments, Func<int, Tensor> tensors);
}

/// <summary>A field gets a value.</summary>
internal sealed class FieldEffect(object? owner, FieldInfo target, Template value) : Effect
{
    /// <summary>Whose field; null for a static one.</summary>
    public object? Owner => owner;

    /// <summary>The field.</summary>
    public FieldInfo Field => target;

    public override void Apply(object?[] arguments, Func<int, Tensor> tensors) => target.SetValue(owner, value.Fill(tensors));
}

/// <summary>A tensor from outside is freed.</summary>
internal sealed class DisposeEffect(Tensor? constant, AccessPath path) : Effect
{
    private Tensor? _before;

    /// <summary>Where the tensor is.</summary>
    public AccessPath Path => path;

    /// <summary>Reads the tensor, before other effects change where it is.</summary>
    public void Prepare(object?[] arguments) => _before = constant ?? (Tensor?)path.Read(arguments);

    public override void Apply(object?[] arguments, Func<int, Tensor> tensors)
    {
        _before?.Dispose();
        _before = null;
    }
}
