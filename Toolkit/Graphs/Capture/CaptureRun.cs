using System.Reflection;
using Toolkit.Graphs.Il;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>One call that is captured while it runs.</summary>
internal sealed partial class CaptureRun
{
    private readonly nn.Module _module;
    private readonly MethodInfo _method;
    private readonly CompileOptions _options;

    /// <summary>A call of a method of a module.</summary>
    public CaptureRun(nn.Module module, MethodInfo method, CompileOptions options) => (_module, _method, _options) = (module, method, options);

    /// <summary>Why the graph ended early; null where it did not.</summary>
    public GraphBreak? Break { get; private set; }

    /// <summary>What was captured; null where the graph ended early.</summary>
    public CaptureRecipe? Recipe { get; private set; }

    /// <summary>The calls with other sizes that it tells of; null where it tells of none.</summary>
    public SizeFamily? Family { get; private set; }

    /// <summary>What stands for such calls; null where the graph ended early.</summary>
    public Specialization? Specialization { get; private set; }

    /// <summary>When the graph ends early at the same place.</summary>
    public GuardSet? BreakGuards { get; private set; }

    /// <summary>Calls that no operator stands for.</summary>
    public IReadOnlyList<string> OpaqueCalls { get; private set; } = [];

    /// <summary>Runs it.</summary>
    /// <returns>What the call returns.</returns>
    /// <exception cref="GraphBreakException">The graph ended early, which was not allowed.</exception>
    public object? Call(object?[] arguments)
    {
        using var tracer = new Tracer(_module, _options.FullGraph, _call) { Numbers = FindsSizes || _isProbe ? new() : null };
        _arguments = arguments;
        try
        {
            tracer.WatchArguments(arguments, [.. _method.GetParameters().Select(parameter => parameter.ParameterType)]);
            var result = Interpret(tracer, arguments);
            OpaqueCalls = tracer.OpaqueCalls;
            if (tracer.Interpreter.TakeSuspended() is { } frames)
            {
                FinishAtBreak(tracer, frames, arguments);
                return frames;
            }

            Conclude(tracer, result);
            if (tracer.Break is not null)
            {
                EndEarly(tracer);
            }

            return result;
        }
        catch (InterpreterException limit)
        {
            return RunAgain(tracer, limit, arguments);
        }
    }

    /// <summary>
    /// Interprets the call. What the program throws it throws again where the call can be made again with nobody noticing: then the exception comes from .NET, with the program's own methods and
    /// lines in its stack trace.
    /// </summary>
    private object? Interpret(Tracer tracer, object?[] arguments)
    {
        try
        {
            return tracer.Interpreter.Invoke(_method, _module, arguments);
        }
        catch (Exception problem) when (!_isProbe && tracer is { Break: null, HasChangedOutside: false }
            && problem is not (InterpreterException or OperationCanceledException or OutOfMemoryException or InsufficientExecutionStackException))
        {
            tracer.Undo();
            tracer.RestoreGenerator();
            var result = Eager(_method, _module, arguments);
            tracer.End($"a {problem.GetType().Name} was thrown that the program itself does not throw ({problem.Message.Split('\n')[0]})", "write it with tensor operations, or move it out of forward");
            return result;
        }
    }

    /// <summary>A program that came to its end becomes a graph, unless something on the way kept it from being one.</summary>
    private void Conclude(Tracer tracer, object? result)
    {
        if (tracer.RequiresGrad && (tracer.SwitchesGrad || (tracer.TurnsGradOff && !is_grad_enabled())))
        {
            tracer.End("gradients are turned on or off where they are recorded", "use detach()");
        }

        if (tracer.Break is null)
        {
            Finish(tracer, result);
        }
    }

    /// <summary>What the interpreter cannot do stops it in the middle: what it did is taken back, and the call runs as it is.</summary>
    private object? RunAgain(Tracer tracer, InterpreterException limit, object?[] arguments)
    {
        var origin = limit.Position is var (method, offset) && SourceMap.Find(method, offset) is var (file, line)
            ? new Origin("", MemberNames.Of(method), file, line)
            : new Origin("", limit.Position is var (other, _) ? MemberNames.Of(other) : "");
        Break = tracer.Break ?? new(limit.Message, "write it with tensor operations, or move it out of forward", origin);
        if (_options.FullGraph)
        {
            throw new GraphBreakException(Break);
        }

        if (tracer.HasChangedOutside)
        {
            throw _call!.Lose(Break.ToString(), limit);
        }

        tracer.Undo();
        tracer.RestoreGenerator();
        BreakGuards = new GuardSet(tracer.Guards, [], tracer.IsGradEnabled);
        return Eager(_method, _module, arguments);
    }

    /// <summary>The call as it is.</summary>
    public static object? Eager(MethodInfo method, nn.Module module, object?[] arguments) =>
        method.Invoke(module, BindingFlags.DoNotWrapExceptions, null, arguments, null);

    private void EndEarly(Tracer tracer)
    {
        Break = tracer.Break;
        BreakGuards = new GuardSet(tracer.Guards, [], tracer.IsGradEnabled);
    }

    private void Finish(Tracer tracer, object? result)
    {
        var holes = new List<Tensor>();
        int Hole(Tensor tensor) => PlaceIn(holes, tensor);
        bool IsKept(object value) => IsKeptOutside(tracer, value);
        if (Template.Of(result, Hole, IsKept, value => !tracer.KeepsOuter(value) && tracer.IsProgram(value.GetType().Assembly)) is not { } template)
        {
            tracer.End($"{Template.Article(MemberNames.Of(result!.GetType()))} is returned", "return tensors, tuples, arrays, lists, dictionaries or objects of your own that hold them");
            return;
        }

        var fields = new List<FieldEffect>();
        foreach (var (owner, field, _) in tracer.Written)
        {
            if (Template.Of(field.GetValue(owner), Hole, IsKept) is not { } value)
            {
                tracer.End($"a new {MemberNames.Of(field.FieldType)} is left in {MemberNames.Of(field)}", "keep tensors, tuples or lists of them in fields");
                return;
            }

            fields.Add(new FieldEffect(owner, field, value));
        }

        Specialization = Build(tracer, template, holes, [.. fields]);
    }

    private Specialization? Build(Tracer tracer, Template result, List<Tensor> holes, FieldEffect[] fields)
    {
        var places = new int[holes.Count];
        var views = new ResultViews?[holes.Count];
        var outputs = new List<Value>();
        var changed = Changed(tracer.Builder.Nodes).Select(value => ResultViews.Of(value).Root).ToHashSet<Value>(ReferenceEqualityComparer.Instance);
        (Value Root, ResultViews? Views) ViewOf(Value value) => ResultViews.Of(value) is var found && changed.Contains(found.Root) ? ResultViews.Of(value, isCertain: true) : found;
        for (var i = 0; i < places.Length; i++)
        {
            if (tracer.Tensors.Find(holes[i]) is not { } value)
            {
                tracer.End("a tensor is returned that comes from where it cannot be followed", "make it in forward, or keep it in a field of the module");
                return null;
            }

            var (root, view) = ViewOf(value);
            if (root is GraphInput input)
            {
                places[i] = -1 - tracer.Builder.Inputs.ToList().IndexOf(input);
                views[i] = tracer.Tensors.IsExternal(holes[i]) && !tracer.Tensors.Inputs[-1 - places[i]].IsFresh ? null : view ?? ResultViews.Same;
            }
            else
            {
                // Results that share memory come from one output; one that is alone is an output as it is, whatever it is a view of.
                var isShared = Enumerable.Range(0, holes.Count).Any(j => j != i && tracer.Tensors.Find(holes[j]) is { } other && ReferenceEquals(ViewOf(other).Root, root));
                (root, views[i]) = isShared ? (root, view) : (value, null);
                var known = outputs.FindIndex(output => ReferenceEquals(output, root));
                places[i] = known < 0 ? outputs.Count : known;
                if (known < 0)
                {
                    outputs.Add(root);
                }
                else
                {
                    views[i] ??= ResultViews.Same;
                }
            }
        }

        var disposed = tracer.Disposed.Where(entry => !entry.Path.IsFresh).Select(entry => new DisposeEffect(null, entry.Path)).ToArray();
        var graph = tracer.Builder.Build(outputs);
        if (Separate(tracer, graph) is not { } separate)
        {
            return null;
        }

        var needsGradient = tracer is { IsGradEnabled: true, RequiresGrad: true };
        IExecutable Backend(Graph made) => _options.Backend is not { } own ? CompiledGraph.Make(made, _options.Cpu, _options.Mode)
            : own(made) ?? throw new InvalidOperationException($"{nameof(CompileOptions)}.{nameof(CompileOptions.Backend)} gave null instead of something that runs the graph");

        // A part of a call that changes something in place may change what autograd keeps for another part: it runs as autograd knows it. One that changes what it was given runs as it is, for any
        // of that may be a view of any other; what a part makes itself it may change.
        // So does one that ends where the program itself asks for gradients, which may be to take gradients of those.
        var isPart = _isContinuation || result is FramesTemplate;
        var runsAsItIs = (needsGradient && tracer.Break is { } end && IsAboutGradients(end)) || (isPart && needsGradient && graph.Nodes.Any(node => node.Operator.IsMutating)) || (_isContinuation && ChangesInputs(graph)) || (needsGradient && _options.Mode == CompileMode.Captured);
        var natives = tracer.Natives;
        IExecutable Executable(Graph made) => runsAsItIs ? new GraphInterpreter(made) : !needsGradient ? Backend(made) : new Autograd.TrainingGraph(made, natives, Backend);
        Recipe = new(
            graph, [.. tracer.Guards, .. separate], tracer.Tensors.Inputs, tracer.Tensors.Tensors, result, places, views, [.. holes.Select(tracer.Detached.Contains)], fields, disposed,
            tracer.HeedsInterruption, tracer.IsGradEnabled, Executable)
        {
            OpaqueCalls = tracer.OpaqueCalls,
            Numbers = tracer.Numbers is { } numbers ? (numbers, tracer.Tensors.Known) : null,
        };
        if (_isProbe)
        {
            return null;
        }

        if (FindsSizes && !isPart)
        {
            FindSizes(Recipe, needsGradient ? natives : null);
        }

        return Recipe.Make();
    }

    private static bool IsAboutGradients(GraphBreak end) =>
        end.Reason.StartsWith("autograd.", StringComparison.Ordinal) || end.Reason.StartsWith("Tensor.requires_grad", StringComparison.Ordinal) || end.Reason.StartsWith("Tensor.backward", StringComparison.Ordinal);

    private static bool ChangesInputs(Graph graph) => Changed(graph.Nodes).Concat(graph.Nodes.SelectMany(Written)).Any(value => ResultViews.Of(value).Root is GraphInput);

    private static IEnumerable<Value> Written(Node node) => node.Operator.Parameters.Zip(node.Arguments).Where(pair => pair.First.IsWritten).SelectMany(pair => pair.Second.Values);

    private static IEnumerable<Value> Changed(IEnumerable<Node> nodes) =>
        nodes.Where(node => node.Operator.IsMutating).SelectMany(node => node.Operator.Parameters[0].Type == "Tensor" ? node.Inputs.Take(1) : node.Inputs);

    /// <summary>Where something is changed in place it matters that nothing else lies in the same memory.</summary>
    private static List<Guard>? Separate(Tracer tracer, Graph graph)
    {
        var changed = Changed(graph.Nodes)
            .Select(value => ResultViews.Of(value).Root).OfType<GraphInput>().Distinct<GraphInput>(ReferenceEqualityComparer.Instance).Select(input => graph.Inputs.IndexOf(input));
        var guards = new List<Guard>(tracer.Tensors.Twins.Select(pair => new MemoryGuard(pair.Path, pair.Twin, true)));
        var paths = tracer.Tensors.Inputs;
        var seen = new HashSet<(int, int)>();
        foreach (var i in changed)
        {
            for (var j = 0; j < paths.Count; j++)
            {
                if (i == j || !(paths[i].IsArgument || paths[j].IsArgument) || !seen.Add((Math.Min(i, j), Math.Max(i, j))))
                {
                    continue;
                }

                if (tracer.Tensors.WereShared(i, j))
                {
                    tracer.End($"{paths[i]} is changed, and {paths[j]} lies in the same memory", "give the call tensors of their own");
                    return null;
                }

                guards.Add(new MemoryGuard(paths[i], paths[j], false));
            }
        }

        return guards;
    }

    /// <summary>The place of a tensor among those that a call fills in; it gets one where it has none.</summary>
    private static int PlaceIn(List<Tensor> holes, Tensor tensor)
    {
        var known = holes.FindIndex(other => ReferenceEquals(other, tensor));
        if (known < 0)
        {
            holes.Add(tensor);
        }

        return known < 0 ? holes.Count - 1 : known;
    }

    /// <summary>Whether something stays as it is between calls: numbers, and objects that were there before.</summary>
    private static bool IsKeptOutside(Tracer tracer, object value) => value is ValueType ? HoldsOnlyNumbers(value.GetType()) : tracer.KeepsOuter(value);

    private static bool HoldsOnlyNumbers(Type type) => type.IsPrimitive || type.IsEnum || type == typeof(decimal)
        || type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic).All(field => field.FieldType.IsValueType && HoldsOnlyNumbers(field.FieldType));
}
