using System.Reflection;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>Captures one call of a module, whole or not at all.</summary>
internal static class WholeCapture
{
    private static readonly CompileOptions _options = new() { FullGraph = true, Backend = graph => new GraphInterpreter(graph) };

    /// <summary>The graph of a call.</summary>
    public static Graph Of(nn.Module module, object?[] inputs)
    {
        var method = Method(module, inputs.Length);
        using var scope = NewDisposeScope();
        using var still = no_grad();
        var run = new CaptureRun(module, method, _options);
        run.Call(inputs);
        return run.Specialization?.Graph ?? throw new GraphException($"{module.GetType().Name} was not captured{(run.Break is { } graphBreak ? $": {graphBreak}" : "")}");
    }

    /// <summary>The method <c>call</c> of the module's generic base class, which runs hooks and <c>forward</c>.</summary>
    private static MethodInfo Method(nn.Module module, int count)
    {
        for (var type = module.GetType(); type is not null; type = type.BaseType)
        {
            if (type.IsGenericType && type.Assembly == TorchSharpApi.Assembly
                && type.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly).FirstOrDefault(method => method.Name == "call") is { } call)
            {
                return call.GetParameters().Length == count
                    ? call
                    : throw new ArgumentException($"{module.GetType().Name} takes {Quantity.Of(call.GetParameters().Length, "input")} and was given {count}");
            }
        }

        throw new ArgumentException($"{module.GetType().Name} has no forward with typed inputs (nn.Module<T, TResult>)");
    }
}
