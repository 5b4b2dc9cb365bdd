using System.Collections;
using System.Runtime.CompilerServices;
using Toolkit.Graphs;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Zoo;

/// <summary>A module that knows nothing of capture, with inputs for it.</summary>
/// <param name="Name">What it is called in a report.</param>
/// <param name="Make">Makes the module.</param>
/// <param name="Inputs">Makes inputs: batch, length, type of real numbers.</param>
internal sealed record Specimen(string Name, Func<nn.Module> Make, Func<int, int, ScalarType, Tensor[]> Inputs)
{
    /// <summary>Calls the module as it is.</summary>
    public required Func<nn.Module, Tensor[], object?> Eager { get; init; }

    /// <summary>Compiles it.</summary>
    public required Func<nn.Module, CompileOptions, CompiledSpecimen> Compile { get; init; }

    /// <summary>Whether it is called in training mode.</summary>
    public bool Trains { get; init; }

    /// <summary>Whether libtorch runs it in bfloat16.</summary>
    public bool HasBFloat16 { get; init; } = true;

    /// <summary>Methods of TorchSharp that stay calls, for want of an operator.</summary>
    public string[] Opaque { get; init; } = [];

    /// <summary>Batches and lengths.</summary>
    public (int Batch, int Length)[] Sizes { get; init; } = [(2, 7), (1, 12)];

    /// <summary>Of a module with one input.</summary>
    public static Specimen Of<TResult>(string name, Func<nn.Module<Tensor, TResult>> make, Func<int, int, ScalarType, Tensor> input) => new(name, make, (b, t, type) => [input(b, t, type)])
    {
        Eager = (module, inputs) => ((nn.Module<Tensor, TResult>)module).call(inputs[0]),
        Compile = (module, options) =>
        {
            var compiled = ((nn.Module<Tensor, TResult>)module).Compile(options);
            return new(compiled, inputs => compiled.forward(inputs[0]), compiled.Explain, () => compiled.Executable);
        },
    };

    /// <summary>Of a module with two inputs.</summary>
    public static Specimen Of<TResult>(string name, Func<nn.Module<Tensor, Tensor, TResult>> make, Func<int, int, ScalarType, Tensor[]> inputs) => new(name, make, inputs)
    {
        Eager = (module, inputs) => ((nn.Module<Tensor, Tensor, TResult>)module).call(inputs[0], inputs[1]),
        Compile = (module, options) =>
        {
            var compiled = ((nn.Module<Tensor, Tensor, TResult>)module).Compile(options);
            return new(compiled, inputs => compiled.forward(inputs[0], inputs[1]), compiled.Explain, () => compiled.Executable);
        },
    };

    /// <summary>The tensors of a result, in order.</summary>
    public static Tensor[] TensorsOf(object? result) => result switch
    {
        Tensor tensor => [tensor],
        ITuple tuple => [.. Enumerable.Range(0, tuple.Length).SelectMany(i => TensorsOf(tuple[i]))],
        IDictionary dictionary => [.. dictionary.Values.Cast<object>().SelectMany(TensorsOf)],
        IEnumerable sequence => [.. sequence.Cast<object>().SelectMany(TensorsOf)],
        _ => [],
    };

    /// <summary>The name.</summary>
    public override string ToString() => Name;
}

/// <summary>A specimen that was compiled, with the types of its inputs forgotten.</summary>
internal sealed record CompiledSpecimen(nn.Module Module, Func<Tensor[], object?> Call, Func<CompileReport> Explain, Func<IExecutable> Executable);
