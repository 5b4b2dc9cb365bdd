using System.Collections.Immutable;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Dispatch;

/// <summary>
/// Records what a piece of program asks libtorch to do, below autograd: backward passes and native modules included. It sees operators, not the program: a branch that depends on
/// <c>item&lt;T&gt;()</c>, a number from the clock and the like are baked in without notice. What follows from it alone must be checked, or come from a program that is known not to do so.
/// </summary>
public static class DispatcherRecorder
{
    /// <summary>Runs a program once, for real, and records it.</summary>
    /// <param name="program">The program; its tensors stay its own.</param>
    /// <param name="arguments">What it is given.</param>
    /// <param name="owned">Tensors that belong to a module, with their paths: they become inputs of that name.</param>
    /// <param name="origin">Tells where in the source a call comes from; asked at each.</param>
    /// <returns>The recording; its graph's outputs are the tensors that the program returned.</returns>
    /// <exception cref="GraphException">Recording is not available (<see cref="DispatcherCapture.WhyNot"/>), an operator failed, or the program did what a graph cannot hold.</exception>
    /// <exception cref="InvalidOperationException">This thread records already.</exception>
    public static Recording Record(
        Func<IReadOnlyList<Tensor>, IReadOnlyList<Tensor>> program,
        IReadOnlyList<Tensor> arguments,
        IEnumerable<(string Path, Tensor Tensor)>? owned = null,
        Func<Origin>? origin = null) =>
        Record(DispatcherCapture.Required, _ => program(arguments), arguments, owned, origin);

    internal static Recording Record(
        Dispatcher dispatcher, Func<RecordingSession, IReadOnlyList<Tensor>> program, IReadOnlyList<Tensor> arguments, IEnumerable<(string Path, Tensor Tensor)>? owned, Func<Origin>? origin)
    {
        using var session = new RecordingSession(dispatcher, origin);
        for (var i = 0; i < arguments.Count; i++)
        {
            session.AddArgument(arguments[i], $"argument{i}");
        }

        foreach (var (path, tensor) in owned ?? [])
        {
            session.AddOwned(tensor, path);
        }

        var strangers = Dispatcher.Strangers;
        var off = Ops.CpuKernel.IsOff;
        IReadOnlyList<Tensor> results;
        try
        {
            // Loops in C# over the memory of tensors are not seen: the engine's operations take their plain definitions.
            Ops.CpuKernel.IsOff = true;
            using var listening = dispatcher.Listen(session);
            results = program(session);
        }
        catch (Exception problem) when (session.Failure is { } cause && problem is not OutOfMemoryException)
        {
            // After an operator that failed the program went on with empty tensors: what it says then follows from that.
            throw new GraphException($"the program cannot be recorded: {cause}", problem);
        }
        finally
        {
            Ops.CpuKernel.IsOff = off;
        }

        if (Dispatcher.Strangers != strangers)
        {
            session.Fail("operators ran on other threads");
        }

        if (session.Failure is { } failure)
        {
            throw new GraphException($"the program cannot be recorded: {failure}");
        }

        var outputs = results.Select(session.ValueOf).ToArray();
        var graph = session.Builder.Build(outputs);
        return new(Ordered(graph, session.Strangers), [.. session.Strangers.Select(stranger => Reference(dispatcher, stranger.Handle))], [.. session.Reads]);
    }

    /// <summary>The graph with its arguments, also those that came late, before everything else.</summary>
    private static Graph Ordered(Graph graph, IReadOnlyList<(GraphInput Input, nint Handle)> strangers)
    {
        var builder = new GraphBuilder();
        var others = strangers.Select(stranger => stranger.Input).ToArray();
        foreach (var input in graph.Inputs.Where(input => !others.Contains(input)).Concat(others))
        {
            builder.Replace(input, builder.Input(input.Type, input.Kind, input.Path));
        }

        foreach (var node in graph.Nodes)
        {
            builder.Copy(node);
        }

        return builder.BuildLike(graph);
    }

    private static unsafe Tensor Reference(Dispatcher dispatcher, nint handle)
    {
        nint* copy;
        _ = dispatcher.Symbols.NewTensor((nint*)handle, &copy);
        return Tensor.UnsafeCreateTensor((nint)copy).DetachFromDisposeScope();
    }
}
