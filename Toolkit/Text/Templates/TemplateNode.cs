using System.Text;

namespace Toolkit.Text;

/// <summary>A statement of a template.</summary>
internal abstract record TemplateNode
{
    /// <summary>Runs it: writes what it says.</summary>
    public abstract void Run(TemplateScope scope, StringBuilder output);
}

internal sealed record TextNode(string Text) : TemplateNode
{
    public override void Run(TemplateScope scope, StringBuilder output) => scope.Write(Text, output);
}

internal sealed record OutputNode(TemplateExpression Value, int Line, bool Silent = false) : TemplateNode
{
    public override void Run(TemplateScope scope, StringBuilder output)
    {
        var value = scope.Evaluate(Value, Line);
        if (!Silent)
        {
            scope.Write(TemplateValue.Text(value), output);
        }
    }
}

internal sealed record BodyNode(IReadOnlyList<TemplateNode> Parts) : TemplateNode
{
    public override void Run(TemplateScope scope, StringBuilder output)
    {
        foreach (var part in Parts)
        {
            part.Run(scope, output);
            if (scope.Jump is not null)
            {
                return;
            }
        }
    }
}

internal sealed record IfNode(TemplateExpression Condition, TemplateNode Then, TemplateNode? Otherwise) : TemplateNode
{
    public override void Run(TemplateScope scope, StringBuilder output)
    {
        var branch = TemplateValue.IsTrue(Condition.Evaluate(scope)) ? Then : Otherwise;
        branch?.Run(scope, output);
    }
}

internal sealed record LoopJumpNode(bool Leaves) : TemplateNode
{
    public override void Run(TemplateScope scope, StringBuilder output) => scope.Jump = Leaves;
}

internal sealed record ForNode(string[] Targets, TemplateExpression Items, TemplateExpression? Condition, TemplateNode Body, TemplateNode? Otherwise, int Line) : TemplateNode
{
    public override void Run(TemplateScope scope, StringBuilder output)
    {
        var items = TemplateValue.Items(scope.Evaluate(Items, Line)).ToList();
        if (Condition is not null)
        {
            items = items.FindAll(item => TemplateValue.IsTrue(Condition.Evaluate(Bound(scope, item))));
        }

        for (var index = 0; index < items.Count; index++)
        {
            var inner = Bound(scope, items[index]);
            inner["loop"] = Loop(items, index);
            Body.Run(inner, output);
            var jump = inner.Jump;
            if (jump == true)
            {
                break;
            }
        }

        if (items.Count == 0)
        {
            Otherwise?.Run(scope, output);
        }
    }

    private TemplateScope Bound(TemplateScope scope, object? item)
    {
        var inner = new TemplateScope(scope);
        TemplateValue.Bind(inner, Targets, item, Line);
        return inner;
    }

    private static OrderedDictionary<string, object?> Loop(List<object?> items, int index) => new()
    {
        ["index"] = index + 1L,
        ["index0"] = (long)index,
        ["first"] = index == 0,
        ["last"] = index == items.Count - 1,
        ["length"] = (long)items.Count,
        ["revindex"] = (long)(items.Count - index),
        ["revindex0"] = (long)(items.Count - index - 1),
        ["previtem"] = index > 0 ? items[index - 1] : TemplateUndefined.Of("loop.previtem"),
        ["nextitem"] = index + 1 < items.Count ? items[index + 1] : TemplateUndefined.Of("loop.nextitem"),
        ["cycle"] = new TemplateFunction((_, call) => call.Positional.Count == 0 ? null : call.Positional[index % call.Positional.Count]),
    };
}

internal sealed record SetNode(string[] Targets, string? Field, TemplateExpression? Value, TemplateNode? Body, int Line) : TemplateNode
{
    public override void Run(TemplateScope scope, StringBuilder output)
    {
        var value = Value is not null ? scope.Evaluate(Value, Line) : scope.Capture(Body!);
        if (Field is null)
        {
            TemplateValue.Bind(scope, Targets, value, Line);
        }
        else if (scope.Find(Targets[0]) is TemplateNamespace fields)
        {
            fields.Fields[Field] = value;
        }
        else
        {
            throw new TemplateException($"line {Line} of the chat template: '{Targets[0]}' is no namespace, so '{Field}' cannot be set");
        }
    }
}

internal sealed record MacroNode(string Name, List<(string Name, TemplateExpression? Default)> Parameters, TemplateNode Body) : TemplateNode
{
    public override void Run(TemplateScope scope, StringBuilder output) => scope[Name] = Function(scope);

    public TemplateFunction Function(TemplateScope around) => new((_, call) =>
    {
        var inner = new TemplateScope(around);
        for (var i = 0; i < Parameters.Count; i++)
        {
            var (name, otherwise) = Parameters[i];
            inner[name] = i < call.Positional.Count ? call.Positional[i] : call.Named.TryGetValue(name, out var given) ? given
                : otherwise is not null ? otherwise.Evaluate(inner) : TemplateUndefined.Of(name);
        }

        if (call.Caller is not null)
        {
            inner["caller"] = call.Caller;
        }

        return inner.Capture(Body);
    });
}

internal sealed record CallNode(CallExpression Target, MacroNode Caller, int Line) : TemplateNode
{
    public override void Run(TemplateScope scope, StringBuilder output) => scope.Write(TemplateValue.Text(Target.Call(scope, Caller.Function(scope))), output);
}

internal sealed record FilterBlockNode(string Name, List<(string? Name, TemplateExpression Value)> Arguments, TemplateNode Body, int Line) : TemplateNode
{
    public override void Run(TemplateScope scope, StringBuilder output) =>
        scope.Write(TemplateValue.Text(new FilterExpression(new LiteralExpression(scope.Capture(Body)), Name, Arguments, Line).Evaluate(scope)), output);
}
