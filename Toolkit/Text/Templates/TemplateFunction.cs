namespace Toolkit.Text;

/// <summary>Something that a template can call.</summary>
/// <param name="Invoke">What it does.</param>
internal sealed record TemplateFunction(Func<TemplateScope, TemplateCall, object?> Invoke);

/// <summary>The arguments of a call.</summary>
/// <param name="Positional">Those without a name.</param>
/// <param name="Named">Those with one.</param>
/// <param name="Caller">The body of a call block.</param>
internal sealed record TemplateCall(List<object?> Positional, OrderedDictionary<string, object?> Named, TemplateFunction? Caller)
{
    public static TemplateCall Of(List<(string? Name, TemplateExpression Value)> arguments, TemplateScope scope, TemplateFunction? caller)
    {
        var call = new TemplateCall([], [], caller);
        foreach (var (name, value) in arguments)
        {
            if (name is null)
            {
                call.Positional.Add(value.Evaluate(scope));
            }
            else
            {
                call.Named[name] = value.Evaluate(scope);
            }
        }

        return call;
    }

    /// <summary>An argument by its place or its name; the other value where it is not given.</summary>
    public object? Get(int index, string name, object? otherwise = null) =>
        index < Positional.Count ? Positional[index] : Named.TryGetValue(name, out var value) ? value : otherwise;
}

/// <summary>Variables that outlive the block in which they are set.</summary>
/// <param name="Fields">The variables.</param>
internal sealed record TemplateNamespace(OrderedDictionary<string, object?> Fields);

/// <summary>What is not there.</summary>
/// <param name="Name">What was looked for.</param>
internal sealed record TemplateUndefined(string Name)
{
    public static TemplateUndefined Of(string name) => new(name);
}
