using System.Collections.Immutable;

namespace Toolkit.Graphs.Passes;

/// <summary>A rule that puts something simpler where a call of some operators stands.</summary>
/// <param name="Name">What it says, as in <c>x * 1 = x</c>.</param>
/// <param name="Operators">Names of the operators that it is about.</param>
/// <param name="Apply">What stands for the call's output; null where the rule does not fit.</param>
internal sealed record RewriteRule(string Name, string[] Operators, Func<Rewrite, Value?> Apply);

/// <summary>A call that a rule looks at: its values are those of the graph that is being made.</summary>
internal sealed class Rewrite(GraphBuilder builder, Operator op, ImmutableArray<Argument> arguments, TensorType type)
{
    /// <summary>The call.</summary>
    public OperatorCall Call { get; } = new(op, arguments);

    /// <summary>Type of its output.</summary>
    public TensorType Type { get; } = type;

    /// <summary>The first parameter's tensor.</summary>
    public Value First => Call.Values.First();

    /// <summary>The call that made a value.</summary>
    public static OperatorCall? Made(Value value) => value.Producer is { Body: null } node ? new(node.Operator, node.Arguments) : null;

    /// <summary>Adds an operation.</summary>
    public Value Add(string name, params ReadOnlySpan<Argument> arguments) => builder.Add(name, arguments);

    /// <summary>A value if it has the type of the output.</summary>
    public Value? IfSame(Value value) => value.Type == Type ? value : null;

    /// <summary>Whether a parameter is a number of this value.</summary>
    public bool Is(string parameter, double number) =>
        Call.Arguments[Call.Operator.IndexOf(parameter)] is IntegerArgument or FloatArgument && Call.Number(parameter) == number;
}
