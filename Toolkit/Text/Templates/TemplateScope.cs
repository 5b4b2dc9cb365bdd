using System.Runtime.CompilerServices;
using System.Text;

namespace Toolkit.Text;

/// <summary>The variables of a part of a template, and around them those of the parts around it.</summary>
internal sealed class TemplateScope
{
    private readonly Dictionary<string, object?> _variables = new(StringComparer.Ordinal);
    private readonly TemplateScope? _around;
    private readonly Budget _budget;

    public TemplateScope(TemplateScope around) => (_around, _budget) = (around, around._budget);

    private TemplateScope(Budget budget) => _budget = budget;

    /// <summary>The outermost scope.</summary>
    /// <param name="steps">Expressions that may be evaluated before a template is taken for endless.</param>
    /// <param name="characters">Characters that it may write.</param>
    public static TemplateScope Root(long steps, long characters) => new(new Budget { Steps = steps, Characters = characters });

    /// <summary>Whether a loop is being left (true) or its next round begun (false).</summary>
    public bool? Jump { get; set; }

    public object? this[string name]
    {
        set => _variables[name] = value;
    }

    /// <summary>The value of a variable; undefined where there is none.</summary>
    public object? Find(string name)
    {
        for (var scope = this; scope is not null; scope = scope._around)
        {
            if (scope._variables.TryGetValue(name, out var value))
            {
                return value;
            }
        }

        return TemplateUndefined.Of(name);
    }

    /// <summary>Evaluates, and says in which line something went wrong.</summary>
    public object? Evaluate(TemplateExpression expression, int line)
    {
        try
        {
            return expression.Evaluate(this);
        }
        catch (TemplateException problem) when (!problem.Message.Contains("of the chat template", StringComparison.Ordinal))
        {
            throw new TemplateException($"line {line} of the chat template: {problem.Message}");
        }
    }

    /// <summary>What a part writes, as a text.</summary>
    public string Capture(TemplateNode body)
    {
        var output = new StringBuilder();
        body.Run(this, output);
        return output.ToString();
    }

    public void Write(string text, StringBuilder output)
    {
        if ((_budget.Characters -= text.Length) < 0)
        {
            throw new TemplateException("the chat template writes too much");
        }

        output.Append(text);
    }

    /// <summary>Counts a step of work, and looks after the stack.</summary>
    public void Step()
    {
        if (--_budget.Steps < 0)
        {
            throw new TemplateException("the chat template does too much work");
        }

        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw new TemplateException("the chat template is nested too deep");
        }
    }

    private sealed class Budget
    {
        public long Steps { get; set; }

        public long Characters { get; set; }
    }
}
