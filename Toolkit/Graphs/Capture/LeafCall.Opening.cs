using Toolkit.Graphs.Dispatch;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <content>Calls of native code that the dispatcher opens.</content>
internal sealed partial class LeafCall
{
    private string? _whyOpaque;

    /// <summary>Makes the call, once, and takes its operations into the graph; where they cannot be had it stays a call.</summary>
    /// <returns>What it returned.</returns>
    public object? RunOpened(Func<object?> run)
    {
        var module = Self as nn.Module;
        if (!DispatcherCapture.IsAvailable)
        {
            _whyOpaque = module is null ? null : $"ATen operations cannot be recorded: {DispatcherCapture.WhyNot}";
            var plain = run();
            Record(plain);
            return plain;
        }

        var held = module is null ? null : new NativeParameters(module);
        object? result = null;
        using var opened = LeafOpener.Instance!.Open(
            _ =>
            {
                result = run();
                return [.. OpaqueCall.TensorsIn(result)];
            },
            [.. _before.Select(entry => entry.Tensor)],
            held?.All,
            _tracer.Builder.Origin);
        Results = [.. OpaqueCall.TensorsIn(result)];
        var agrees = opened.Graph is null || Agrees(opened.Graph, opened, held);
        if (opened.Graph is { } graph && agrees && CanHold(opened, module is null))
        {
            _tracer.NoteResults(Results, Self);
            Inline(graph, opened, module, held);
            return result;
        }

        _whyOpaque = opened.WhyNot ?? (!agrees ? "the operations that were recorded compute something else" : module is null ? "it reads what it is not given" : "it changes what the module holds");
        Record(result);
        return result;
    }

    /// <summary>A graph whose inputs stay what they are, but for what the call was given. A function has nothing of its own but numbers.</summary>
    private static bool CanHold(OpenedLeaf opened, bool isFunction) => opened.Inputs.All(input => input.Argument >= 0 || (input.Tensor is { } own && (!isFunction || own.dim() == 0)));

    /// <summary>Whether what was recorded computes what the call computed: what libtorch does below its dispatcher is not seen. Chance, and what changes its inputs, cannot be tried twice.</summary>
    private bool Agrees(Graph graph, OpenedLeaf opened, NativeParameters? held)
    {
        if (graph.Nodes.Any(node => node.Operator.Kind == OperatorKind.Random || (node.Operator.IsMutating && ResultViews.Of(node.Inputs.First()).Root is GraphInput)))
        {
            return true;
        }

        using var scope = NewDisposeScope();
        using var still = no_grad();
        var inputs = opened.Inputs.Select(input => input.Argument >= 0 ? _before[input.Argument].Tensor
            : input.Path is { } path ? held!.All.First(entry => entry.Path == path).Tensor : input.Tensor!);
        try
        {
            return GraphInterpreter.Run(graph, [.. inputs]).Zip(Results).All(pair => IsNear(pair.First, pair.Second));
        }
        catch (GraphException)
        {
            return false;
        }
    }

    private static bool IsNear(Tensor a, Tensor b)
    {
        var tolerance = b.dtype is ScalarType.BFloat16 or ScalarType.Float16 ? 2e-2 : 1e-4;
        return a.dtype == b.dtype && a.shape.SequenceEqual(b.shape) && a.to(ScalarType.Float64).allclose(b.to(ScalarType.Float64), tolerance, tolerance, equal_nan: true);
    }

    private void Inline(Graph graph, OpenedLeaf opened, nn.Module? module, NativeParameters? held)
    {
        var builder = _tracer.Builder;
        if (opened.Inputs.Any(input => input.Path is not null))
        {
            _tracer.Require(new NativeParametersGuard(held!));
        }

        for (var i = 0; i < graph.Inputs.Length; i++)
        {
            var input = opened.Inputs[i];
            builder.Replace(
                graph.Inputs[i],
                input.Argument >= 0 ? _before[input.Argument].Value
                    : input.Path is { } path ? _tracer.NativeParameter(module!, held!, path)
                    : _tracer.Tensors.Constant(input.Tensor!.alias().DetachFromDisposeScope()));
        }

        foreach (var node in graph.Nodes)
        {
            builder.Copy(node);
        }

        for (var i = 0; i < Results.Length; i++)
        {
            _tracer.Tensors.Set(Results[i], builder.Of(graph.Outputs[i]));
        }
    }
}
