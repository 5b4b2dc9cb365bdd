using Toolkit.Graphs.Cpu;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>
/// Calls that differ in the sizes of dimensions that are marked dynamic. When a call was captured, the module is called with some other sizes (made up from the call's own arguments, and only where it
/// leaves nothing behind): from what is the same then, and what follows the sizes, comes the graph for any sizes, with the conditions under which the program does the same.
/// </summary>
internal sealed class SizeFamily
{
    /// <summary>By how much a size is changed to see what follows it, in the order in which it is tried: much and evenly, for programs divide sizes, but some have a greatest one.</summary>
    private static readonly long[] _steps = [16, 8, -8, 4, -4, 2, -2, 1, -1];
    private const int MostSizes = 3;

    private readonly CaptureRecipe _recipe;
    private readonly IReadOnlyList<DynamicDimension>[] _places; // of each size
    private readonly SizePoints _points;
    private readonly SizedGraph _graph;
    private readonly SizeConditions _conditions;
    private readonly int[] _read;

    private SizeFamily(CaptureRecipe recipe, IReadOnlyList<DynamicDimension>[] places, SizePoints points, SizedGraph graph, SizeConditions conditions)
    {
        (_recipe, _places, _points, _graph, _conditions) = (recipe with { Numbers = null, Tensors = [] }, places, points, graph, conditions); // the arguments of one call are not kept
        var order = recipe.Graph.Values.Select((value, i) => (value, i)).ToDictionary(pair => pair.value, pair => pair.i, (IEqualityComparer<Value>)ReferenceEqualityComparer.Instance);
        _read = [.. conditions.Read.Select(tensor => recipe.Numbers!.Value.ValueOf(tensor)).OfType<Value>().Where(order.ContainsKey).Select(value => order[value]).Distinct()];
    }

    /// <summary>Another of the calls: its graph, and its arguments, made from those of this call.</summary>
    public (Graph Graph, object?[] Arguments) Other(object?[] arguments)
    {
        var sizes = _points.At(_points.Changes.Count - 1);
        return (TryGraph(sizes)!, Resized(arguments, _places, sizes));
    }

    /// <summary>The dimensions of each size.</summary>
    public IReadOnlyList<IReadOnlyList<DynamicDimension>> Places => _places;

    /// <summary>Sizes that it was made from.</summary>
    public SizePoints Points => _points;

    /// <summary>What must hold of sizes.</summary>
    public SizeConditions Conditions => _conditions;

    /// <summary>The graph for some sizes, with what is returned as outputs; null where this call would have to be captured.</summary>
    public Graph? Returned(long[] sizes, long least = 2) => TryGraph(sizes, least) is { } graph ? ResultViews.Returned(graph, _recipe.Result, _recipe.Holes, ViewsIn(graph)) : null;

    /// <summary>Why there is no graph for some sizes although all conditions hold and the program can be run with them; null where there is one, or the program refuses them.</summary>
    public string? Difference(long[] sizes)
    {
        string? difference = null;
        _ = _conditions.Hold(sizes) ? _graph.At(sizes, _read, out difference) : null;
        return difference;
    }

    /// <summary>The dimensions that may have other sizes.</summary>
    public IReadOnlyList<DynamicDimension> Dimensions => [.. _places.SelectMany(own => own)];

    /// <summary>Finds the calls that a captured one stands for.</summary>
    /// <param name="recipe">The call.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="dimensions">What is marked dynamic.</param>
    /// <param name="call">Calls the module with other arguments, for the sake of seeing what it does; null where it cannot be captured whole.</param>
    /// <param name="whyNot">Why there are none.</param>
    public static SizeFamily? Of(CaptureRecipe recipe, object?[] arguments, IReadOnlyList<DynamicDimension> dimensions, Func<object?[], CaptureRecipe?> call, out string? whyNot)
    {
        whyNot = null;
        var places = PlacesOf(arguments, dimensions);
        if (places is null || !recipe.IsRepeatable || !recipe.Changed.All(tensor => CanBePutBack(recipe, tensor)))
        {
            whyNot = places is null ? $"{string.Join(" or ", dimensions)} is missing, or of size 0 or 1, or the tensor is not contiguous" : "the call leaves something behind";
            return null;
        }

        using var scope = NewDisposeScope();
        using var state = new KeptState(recipe);
        var singles = new List<(IReadOnlyList<DynamicDimension> Places, long Size, long Step, CaptureRecipe Recipe)>();
        foreach (var own in places)
        {
            var size = SizeOf(arguments, own[0]);
            foreach (var step in _steps)
            {
                if (At([own], [size + step]) is { } other && IsAlike(recipe, other))
                {
                    singles.Add((own, size, step, other));
                    break;
                }
            }

            if (singles.Count == 0 || singles[^1].Places != own)
            {
                whyNot = $"the program does something else for another size of {string.Join(", ", own)}, or refuses it";
            }
        }

        if (singles.Count == 0)
        {
            return null;
        }

        var changing = singles.Select(single => single.Places).ToArray();
        var points = new SizePoints([.. singles.Select(single => single.Size)], [.. singles.Select(single => single.Step)]);
        var recipes = new CaptureRecipe[points.Changes.Count];
        recipes[0] = recipe;
        singles.Select(single => single.Recipe).ToArray().CopyTo(recipes, 1);
        for (var k = 1 + singles.Count; k < recipes.Length; k++)
        {
            if (At(changing, points.At(k)) is not { } both || !IsAlike(recipe, both))
            {
                whyNot = "the program does something else for other sizes, or refuses them";
                return null;
            }

            recipes[k] = both;
        }

        var conditions = SizeConditions.Of(points, [.. recipes.Select(own => own.Numbers!.Value.Trace)]);
        if (conditions.WhyNot is not null || SizedGraph.Of(points, [.. recipes.Select(own => own.Graph)], conditions.Reals) is not { } graph || (graph.HasParts && !conditions.HasDivisions))
        {
            whyNot = conditions.WhyNot ?? "its operations do not follow the sizes";
            return null;
        }

        var family = new SizeFamily(recipe, changing, points, graph, conditions);
        if (family.IsRightFor(recipe, sizes => At(changing, sizes)))
        {
            return family;
        }

        whyNot = "its operations do not follow the sizes";
        return null;

        CaptureRecipe? At(IReadOnlyList<DynamicDimension>[] own, long[] sizes) => Array.TrueForAll(sizes, size => size >= 2) ? call(Resized(arguments, own, sizes)) : null;
    }

    /// <summary>What stands for a call with other sizes; null where this call has to be captured.</summary>
    public Specialization? TryMake(object?[] arguments)
    {
        var sizes = _places.Select(own => SizeOf(arguments, own[0])).ToArray();
        if (!_places.Select((own, i) => own.All(place => SizeOf(arguments, place) == sizes[i])).All(same => same) || TryGraph(sizes) is not { } graph)
        {
            return null;
        }

        var guards = _recipe.Guards.Select(guard => guard is TensorGuard { Path.ArgumentNumber: >= 0 and var number } tensor && _places.Any(own => own.Any(place => place.Argument == number))
            ? new TensorGuard(tensor.Path, new TensorCheck((Tensor)arguments[number]!, _recipe.IsGradEnabled))
            : guard);
        return (_recipe with { Graph = graph, Guards = [.. guards], Views = ViewsIn(graph) }).Make();
    }

    private ResultViews?[] ViewsIn(Graph graph)
    {
        var nodes = _recipe.Graph.Nodes.Zip(graph.Nodes).ToDictionary(pair => pair.First, pair => pair.Second, (IEqualityComparer<Node>)ReferenceEqualityComparer.Instance);
        return [.. _recipe.Views.Select(view => view?.Map(node => nodes.GetValueOrDefault(node, node)))];
    }

    private Graph? TryGraph(long[] sizes, long least = 2) => Array.TrueForAll(sizes, size => size >= least) && _conditions.Hold(sizes) ? _graph.At(sizes, _read, out _) : null;

    /// <summary>Tries it: for sizes that it was not made from, it must say what the program does.</summary>
    private bool IsRightFor(CaptureRecipe recipe, Func<long[], CaptureRecipe?> at)
    {
        foreach (var factor in new[] { 2, 3, -1 })
        {
            foreach (var rest in new[] { 0, 1 })
            {
                long[] sizes = [.. _points.Base.Select((size, i) => size + (_points.Steps[i] * factor) + (rest * Math.Sign(_points.Steps[i])))];
                if (TryGraph(sizes) is { } graph && at(sizes) is { } other)
                {
                    return IsRight(graph, sizes, other);
                }
            }
        }

        // Some sizes have hardly any neighbours: half the way then.
        long[] near = [.. _points.Base.Select((size, i) => size + (_points.Steps[i] / 2))];
        return !near.AsSpan().SequenceEqual(_points.Base) && TryGraph(near) is { } between && at(near) is { } last && IsRight(between, near, last);

        bool IsRight(Graph graph, long[] own, CaptureRecipe seen) =>
            SizedGraph.IsAlike(graph, seen.Graph, exactly: true) && IsAlike(recipe, seen) && _conditions.Foretell(own, seen.Numbers!.Value.Trace);
    }

    /// <summary>Whether two calls differ in sizes only.</summary>
    private static bool IsAlike(CaptureRecipe a, CaptureRecipe b) =>
        b.IsRepeatable && SizedGraph.IsAlike(a.Graph, b.Graph, exactly: false) && a.Numbers!.Value.Trace.Uses.Count == b.Numbers!.Value.Trace.Uses.Count
        && a.Holes.AsSpan().SequenceEqual(b.Holes) && a.IsDetached.AsSpan().SequenceEqual(b.IsDetached) && a.HeedsInterruption == b.HeedsInterruption
        && a.Views.Zip(b.Views).All(pair => pair.First is null == pair.Second is null)
        && a.Graph.Inputs.Select((input, i) => input.Kind == GraphInputKind.Constant ? AreEqual(a.Tensors[i], b.Tensors[i]) : a.Inputs[i].IsSame(b.Inputs[i])).All(same => same)
        && a.Result.IsSame(b.Result);

    /// <summary>
    /// Whether the values of a tensor that the call has changed can be put back unnoticed. Where gradients are recorded autograd counts changes of what it needs for the backward pass, except those that a
    /// batch norm makes to its statistics.
    /// </summary>
    private static bool CanBePutBack(CaptureRecipe recipe, Tensor tensor) => tensor.is_contiguous() && tensor.device_type == TorchSharp.DeviceType.CPU
        && (!recipe.IsGradEnabled || !tensor.is_floating_point() || recipe.Graph.Nodes.Where(node => node.Operator.IsMutating).All(node => node.Operator.Name is "aten::_native_batch_norm_legit" or "aten::add_.Tensor" or "aten::add_.Scalar"));

    /// <summary>What the program makes of numbers (a tensor of constants) must not depend on sizes.</summary>
    private static bool AreEqual(Tensor a, Tensor b)
    {
        using var scope = NewDisposeScope();
        return (a.dtype == b.dtype && a.shape.AsSpan().SequenceEqual(b.shape) && a.eq(b).all().item<bool>());
    }

    /// <summary>The dimensions of each size: those that are of equal size are one.</summary>
    private static IReadOnlyList<DynamicDimension>[]? PlacesOf(object?[] arguments, IReadOnlyList<DynamicDimension> dimensions)
    {
        if (dimensions.Any(place => place.Argument >= arguments.Length || arguments[place.Argument] is not Tensor { IsInvalid: false } tensor || !tensor.is_contiguous() || place.Dimension >= tensor.dim() || -place.Dimension > tensor.dim()))
        {
            return null;
        }

        var places = dimensions.GroupBy(place => SizeOf(arguments, place)).ToArray();
        return places.Length is > 0 and <= MostSizes && places.All(own => own.Key >= 2) ? [.. places.Select(own => own.ToArray())] : null;
    }

    private static long SizeOf(object?[] arguments, DynamicDimension place) => ((Tensor)arguments[place.Argument]!).size(place.Dimension);

    /// <summary>Arguments of other sizes: what is in them comes again where there is not enough.</summary>
    private static object?[] Resized(object?[] arguments, IReadOnlyList<DynamicDimension>[] places, long[] sizes)
    {
        var resized = (object?[])arguments.Clone();
        foreach (var (place, size) in places.SelectMany((own, i) => own.Select(place => (place, sizes[i]))))
        {
            var tensor = ((Tensor)resized[place.Argument]!).detach();
            using var end = size.ToScalar();
            using var known = tensor.size(place.Dimension).ToScalar();
            var numbers = arange(Ops.Scalars.Zero, end, Ops.Scalars.One, ScalarType.Int64, tensor.device).remainder_(known);
            resized[place.Argument] = tensor.index_select(place.Dimension < 0 ? place.Dimension + tensor.dim() : place.Dimension, numbers);
        }

        for (var i = 0; i < resized.Length; i++)
        {
            if (arguments[i] is Tensor { requires_grad: true } && resized[i] != arguments[i])
            {
                ((Tensor)resized[i]!).requires_grad_(true);
            }
        }

        return resized;
    }
}
