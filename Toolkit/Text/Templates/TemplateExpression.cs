namespace Toolkit.Text;

/// <summary>An expression of a template. Values are null (none), bool, long, double, string, lists, ordered maps, namespaces, functions and undefined.</summary>
internal abstract record TemplateExpression
{
    /// <summary>Its value.</summary>
    public object? Evaluate(TemplateScope scope)
    {
        scope.Step();
        return Value(scope);
    }

    protected abstract object? Value(TemplateScope scope);
}

internal sealed record LiteralExpression(object? Literal) : TemplateExpression
{
    protected override object? Value(TemplateScope scope) => Literal;
}

internal sealed record NameExpression(string Name) : TemplateExpression
{
    protected override object? Value(TemplateScope scope) => scope.Find(Name);
}

internal sealed record ListExpression(IReadOnlyList<TemplateExpression> Items) : TemplateExpression
{
    protected override object? Value(TemplateScope scope) => Items.Select(item => item.Evaluate(scope)).ToList();
}

internal sealed record MapExpression(IReadOnlyList<(TemplateExpression Key, TemplateExpression Value)> Items) : TemplateExpression
{
    protected override object? Value(TemplateScope scope)
    {
        var map = new OrderedDictionary<string, object?>();
        foreach (var (key, value) in Items)
        {
            map[key.Evaluate(scope) as string ?? throw new TemplateException("a map with keys that are no texts is not supported")] = value.Evaluate(scope);
        }

        return map;
    }
}

internal sealed record ConditionExpression(TemplateExpression Condition, TemplateExpression Then, TemplateExpression? Otherwise) : TemplateExpression
{
    protected override object? Value(TemplateScope scope) =>
        TemplateValue.IsTrue(Condition.Evaluate(scope)) ? Then.Evaluate(scope) : Otherwise is null ? TemplateUndefined.Of("the missing else") : Otherwise.Evaluate(scope);
}

internal sealed record LogicExpression(TemplateExpression Left, TemplateExpression Right, bool Either) : TemplateExpression
{
    protected override object? Value(TemplateScope scope)
    {
        var left = Left.Evaluate(scope);
        return TemplateValue.IsTrue(left) == Either ? left : Right.Evaluate(scope);
    }
}

internal sealed record NotExpression(TemplateExpression Operand) : TemplateExpression
{
    protected override object? Value(TemplateScope scope) => !TemplateValue.IsTrue(Operand.Evaluate(scope));
}

internal sealed record BinaryExpression(string Operation, TemplateExpression Left, TemplateExpression Right, int Line) : TemplateExpression
{
    protected override object? Value(TemplateScope scope) => TemplateArithmetic.Apply(Operation, Left.Evaluate(scope), Right.Evaluate(scope));
}

internal sealed record AttributeExpression(TemplateExpression Target, string Name, int Line) : TemplateExpression
{
    protected override object? Value(TemplateScope scope) => TemplateValue.Attribute(Target.Evaluate(scope), Name);
}

internal sealed record ItemExpression(TemplateExpression Target, TemplateExpression Key, int Line) : TemplateExpression
{
    protected override object? Value(TemplateScope scope) => TemplateValue.Item(Target.Evaluate(scope), Key.Evaluate(scope));
}

internal sealed record SliceExpression(TemplateExpression Target, TemplateExpression? Begin, TemplateExpression? End, TemplateExpression? Step, int Line) : TemplateExpression
{
    protected override object? Value(TemplateScope scope)
    {
        var target = Target.Evaluate(scope);
        var (begin, end, step) = (Number(Begin, scope), Number(End, scope), Number(Step, scope) ?? 1);
        if (step == 0)
        {
            throw new TemplateException("the step of a slice is 0");
        }

        if (target is not (string or List<object?>))
        {
            throw new TemplateException($"{TemplateValue.Name(target)} cannot be sliced");
        }

        var count = target is string text ? text.Length : ((List<object?>)target).Count;
        var indices = Indices(begin, end, step, count);
        return target is string source ? string.Concat(indices.Select(index => source[index])) : indices.Select(index => ((List<object?>)target)[index]).ToList();
    }

    private static IEnumerable<int> Indices(long? begin, long? end, long step, int count)
    {
        // As Python counts: from the end where negative, and cut off at the ends.
        long Clamp(long? value, long otherwise) => value is not { } given ? otherwise : Math.Clamp(given < 0 ? given + count : given, step > 0 ? 0 : -1, step > 0 ? count : count - 1);
        var (from, to) = (Clamp(begin, step > 0 ? 0 : count - 1), Clamp(end, step > 0 ? count : -1));
        for (var index = from; step > 0 ? index < to : index > to; index += step)
        {
            yield return (int)index;
        }
    }

    private static long? Number(TemplateExpression? expression, TemplateScope scope) => expression?.Evaluate(scope) switch
    {
        null => null,
        long number => number,
        var other => throw new TemplateException($"a slice is bounded by {TemplateValue.Name(other)}, not a number"),
    };
}

internal sealed record CallExpression(TemplateExpression Target, List<(string? Name, TemplateExpression Value)> Arguments, int Line) : TemplateExpression
{
    protected override object? Value(TemplateScope scope) => Call(scope, null);

    /// <summary>Calls it, with a body that it may call back.</summary>
    public object? Call(TemplateScope scope, TemplateFunction? caller) => Target.Evaluate(scope) switch
    {
        TemplateFunction function => function.Invoke(scope, TemplateCall.Of(Arguments, scope, caller)),
        TemplateUndefined undefined => throw new TemplateException($"'{undefined.Name}' is undefined, so it cannot be called"),
        var other => throw new TemplateException($"{TemplateValue.Name(other)} cannot be called"),
    };
}

internal sealed record FilterExpression(TemplateExpression Target, string Name, List<(string? Name, TemplateExpression Value)> Arguments, int Line) : TemplateExpression
{
    protected override object? Value(TemplateScope scope) => TemplateFilters.Apply(Name, Target.Evaluate(scope), TemplateCall.Of(Arguments, scope, null), scope);
}

internal sealed record TestExpression(TemplateExpression Target, string Name, List<(string? Name, TemplateExpression Value)> Arguments, int Line) : TemplateExpression
{
    protected override object? Value(TemplateScope scope) => TemplateTests.Apply(Name, Target.Evaluate(scope), TemplateCall.Of(Arguments, scope, null).Positional);
}
