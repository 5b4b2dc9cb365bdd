using System.Linq.Expressions;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>All guards of a captured call, in the order in which they must be checked, checked in some microseconds; the check also collects the graph's inputs.</summary>
internal sealed class GuardSet
{
    private readonly IReadOnlyList<Guard> _guards;
    private readonly Func<object?[], Tensor[], bool> _check;
    private readonly GuardTable _table = new();
    private readonly Func<object?[], Tensor[], bool>? _pairs;
    private readonly bool _isGradEnabled;
    private readonly bool _isInference;
    private readonly ScalarType _defaultType;

    /// <summary>Compiles them.</summary>
    /// <param name="guards">The guards.</param>
    /// <param name="inputs">Where the inputs of the graph are read.</param>
    /// <param name="isGradEnabled">Whether gradients were recorded.</param>
    public GuardSet(IReadOnlyList<Guard> guards, IReadOnlyList<AccessPath> inputs, bool isGradEnabled)
    {
        (_guards, _isGradEnabled, _isInference, _defaultType) = (guards, isGradEnabled, is_inference_mode_enabled(), get_default_dtype());

        // Arguments first, for they change; what compares two tensors last, when all have been collected.
        var places = inputs.Select((path, i) => (path, i)).ToDictionary(pair => pair.path, pair => pair.i, (IEqualityComparer<AccessPath>)ReferenceEqualityComparer.Instance);
        var pairs = guards.Where(guard => guard is MemoryGuard).ToArray();
        _check = Compile([.. guards.Where(guard => guard is not MemoryGuard && !_table.TryAdd(guard, places.GetValueOrDefault(guard.Path, -1)))], places);
        _pairs = pairs.Length == 0 ? null : Compile(pairs, places);
        _table.Close();
    }

    /// <summary>The guards.</summary>
    public IReadOnlyList<Guard> Guards => _guards;

    /// <summary>The same, when no inputs are wanted.</summary>
    public GuardSet WithoutInputs() => new(_guards, [], _isGradEnabled);

    /// <summary>The guards that do not hold; null where one says that something is of another kind, after which no other can be asked.</summary>
    public IReadOnlyList<Guard>? Failing(object?[] arguments)
    {
        if (!ModeHolds())
        {
            return null;
        }

        var failing = new List<Guard>();
        try
        {
            foreach (var guard in _guards.Where(guard => !HoldsSlowly(guard, arguments)))
            {
                if (guard is not (ValueGuard or ScalarGuard))
                {
                    return null;
                }

                failing.Add(guard);
            }
        }
        catch (Exception exception) when (exception is ArgumentException or IndexOutOfRangeException or KeyNotFoundException or NullReferenceException or InvalidCastException or System.Reflection.TargetException)
        {
            return null; // a collection has other elements, and what was read of them is not there
        }

        return failing;
    }

    /// <summary>Whether the graph stands for a call with these arguments; collects its inputs.</summary>
    public bool Holds(object?[] arguments, Tensor[] inputs) => ModeHolds() && _check(arguments, inputs) && _table.Holds(inputs) && (_pairs is null || _pairs(arguments, inputs));

    /// <summary>The first guard that does not hold; null where all do.</summary>
    public string? Failure(object?[] arguments)
    {
        if (!ModeHolds())
        {
            return is_grad_enabled() != _isGradEnabled ? $"gradients are {(_isGradEnabled ? "" : "not ")}recorded" : "inference mode, or the default type of values, is the same";
        }

        return _guards.FirstOrDefault(guard => !HoldsSlowly(guard, arguments))?.ToString();
    }

    /// <summary>The first guard of the module's state (of what is no argument) that does not hold now; null where all do.</summary>
    public string? StateFailure() =>
        _guards.FirstOrDefault(guard => !guard.Path.IsArgument && guard is not (AliasGuard { Other.IsArgument: true } or MemoryGuard { Other.IsArgument: true }) && !HoldsNow(guard))?.ToString();

    /// <summary>Where there is nothing to read any more, nothing is as it was.</summary>
    private static bool HoldsNow(Guard guard)
    {
        try
        {
            return HoldsSlowly(guard, []);
        }
        catch (Exception problem) when (problem is NullReferenceException or IndexOutOfRangeException or ArgumentException or KeyNotFoundException or InvalidOperationException or System.Reflection.TargetException)
        {
            return false;
        }
    }

    /// <summary>Whether nothing but sizes of some dimensions keeps the graph from standing for a call.</summary>
    public bool DiffersOnlyIn(IReadOnlyList<DynamicDimension> dimensions, object?[] arguments) => ModeHolds() && _guards.All(guard =>
        guard is TensorGuard { Path.ArgumentNumber: >= 0 and var number } tensor
            ? tensor.Check.HoldsBut(arguments[number] as Tensor, dimensions.Where(dimension => dimension.Argument == number).Select(dimension => dimension.Dimension))
            : HoldsSlowly(guard, arguments));

    private static bool HoldsSlowly(Guard guard, object?[] arguments)
    {
        var value = guard.Path.Read(arguments);
        var holds = guard is MemoryGuard memory ? memory.Holds(value as Tensor, memory.Other.Read(arguments) as Tensor)
            : guard is AliasGuard alias ? ReferenceEquals(value, alias.Other.Read(arguments)) == alias.AreSame : guard.Holds(value);
        if (guard.Path.IsFresh)
        {
            (value as Tensor)?.Dispose();
        }

        return holds;
    }

    private static Func<object?[], Tensor[], bool> Compile(IReadOnlyList<Guard> guards, Dictionary<AccessPath, int> places)
    {
        var arguments = Expression.Parameter(typeof(object[]), "arguments");
        var tensors = Expression.Parameter(typeof(Tensor[]), "inputs");
        var end = Expression.Label(typeof(bool));
        var body = new List<Expression>();
        var variables = new List<ParameterExpression>();
        var owners = new Dictionary<object, ParameterExpression>(ReferenceEqualityComparer.Instance);
        foreach (var guard in guards)
        {
            if (guard is MemoryGuard memory)
            {
                var holds = Expression.Call(Expression.Constant(memory), nameof(MemoryGuard.Holds), null, Collected(memory.Path), Collected(memory.Other));
                body.Add(Expression.IfThen(Expression.Not(holds), Expression.Return(end, Expression.Constant(false))));
                continue;
            }

            var read = guard.Path.Read(arguments, Constant);
            if (places.TryGetValue(guard.Path, out var place))
            {
                var slot = Expression.ArrayAccess(tensors, Expression.Constant(place));
                body.Add(Expression.Assign(slot, Expression.Convert(read, typeof(Tensor))));
                read = slot;
            }

            var condition = guard is AliasGuard alias
                ? Expression.Equal(Expression.ReferenceEqual(read, alias.Other.Read(arguments, Constant)), Expression.Constant(alias.AreSame))
                : guard.Condition(read);
            body.Add(Expression.IfThen(Expression.Not(condition), Expression.Return(end, Expression.Constant(false))));
        }

        body.Add(Expression.Label(end, Expression.Constant(true)));
        return Expression.Lambda<Func<object?[], Tensor[], bool>>(Expression.Block(variables, body), arguments, tensors).Compile();

        // A tensor that is an input has been read already.
        Expression Collected(AccessPath path) =>
            places.TryGetValue(path, out var known) ? Expression.ArrayIndex(tensors, Expression.Constant(known)) : Expression.Convert(path.Read(arguments, Constant), typeof(Tensor));

        // An object is taken out of the constants once, however many of its fields are looked at.
        Expression Constant(object value)
        {
            if (!owners.TryGetValue(value, out var variable))
            {
                owners[value] = variable = Expression.Variable(value.GetType());
                variables.Add(variable);
                body.Add(Expression.Assign(variable, Expression.Constant(value, value.GetType())));
            }

            return variable;
        }
    }

    private bool ModeHolds() => is_grad_enabled() == _isGradEnabled && is_inference_mode_enabled() == _isInference && get_default_dtype() == _defaultType;
}
