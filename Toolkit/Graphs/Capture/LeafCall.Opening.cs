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
        var module = (nn.Module)Self!;
        if (!DispatcherCapture.IsAvailable)
        {
            _whyOpaque = $"ATen operations cannot be recorded: {DispatcherCapture.WhyNot}";
            var plain = run();
            Record(plain);
            return plain;
        }

        var held = new NativeParameters(module);
        object? result = null;
        using var opened = LeafOpener.Instance!.Open(
            _ =>
            {
                result = run();
                return [.. OpaqueCall.TensorsIn(result)];
            },
            [.. _before.Select(entry => entry.Tensor)],
            held.All,
            _tracer.Builder.Origin);
        if (opened.Graph is { } graph && CanHold(opened))
        {
            Results = [.. OpaqueCall.TensorsIn(result)];
            _tracer.NoteResults(Results, Self);
            Inline(graph, opened, module, held);
            return result;
        }

        _whyOpaque = opened.WhyNot ?? "it changes what the module holds";
        Record(result);
        return result;
    }

    /// <summary>A graph whose inputs stay what they are, but for what the call was given.</summary>
    private static bool CanHold(OpenedLeaf opened) => opened.Inputs.All(input => input.Argument >= 0 || input.Tensor is not null);

    private void Inline(Graph graph, OpenedLeaf opened, nn.Module module, NativeParameters held)
    {
        var builder = _tracer.Builder;
        if (opened.Inputs.Any(input => input.Path is not null))
        {
            _tracer.Require(new NativeParametersGuard(held));
        }

        for (var i = 0; i < graph.Inputs.Length; i++)
        {
            var input = opened.Inputs[i];
            builder.Replace(
                graph.Inputs[i],
                input.Argument >= 0 ? _before[input.Argument].Value
                    : input.Path is { } path ? _tracer.NativeParameter(module, held, path)
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
