using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Reflection;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>From TorchSharp's methods to ATen's operators: rules of one line each, functions where a rule does not suffice, and the convention that a method without parameters is the operator of its name.</summary>
internal static class LoweringTable
{
    private static readonly FrozenDictionary<string, LoweringRule> _rules =
        LoweringRules.All.Select(LoweringRule.Parse).ToFrozenDictionary(rule => rule.Key);

    /// <summary>The values of the results; null where no operators are known.</summary>
    public static IReadOnlyList<Value>? Lower(LeafCall call)
    {
        var key = LoweringRule.KeyOf(call.Method);
        if (SpecialLowerings.Find(key) is { } special)
        {
            return special(call);
        }

        if (_rules.TryGetValue(key, out var rule))
        {
            return Operators.Find(rule.Operator) is { } op ? rule.Apply(call, op) : null;
        }

        // TorchSharp's hardtanh_ does not do what hardtanh does: the call stays.
        if (!key.StartsWith("Tensor.hardtanh_(", StringComparison.Ordinal) && key.IndexOf("_(", StringComparison.Ordinal) is > 0 and var end && _rules.TryGetValue(key.Remove(end, 1), out var functional))
        {
            // Where no operator writes into its first input, one that returns is copied there.
            return Operators.FindOwn(InPlace(functional.Operator)) is { } op ? functional.Apply(call, op)
                : Operators.FindOwn(functional.Operator) is { } pure && functional.Apply(call, pure) is [var value] ? [call.Add("aten::copy_", call.Value(call.Self), value, false)] : null;
        }

        return call.Self is Tensor self && call.Arguments.Length == 0 && Operators.Find("aten::" + call.Method.Name) is { } same
            ? call.Add(same, GraphBuilder.WithDefaults(same, call.Value(self))).Outputs
            : null;
    }

    /// <summary>Whether a function says what a method is lowered to.</summary>
    public static bool HasSpecial(MethodBase method) => SpecialLowerings.Find(LoweringRule.KeyOf(method)) is not null;

    /// <summary>Whether there is an operator for a call, or a rule that says which.</summary>
    public static bool Knows(LeafCall call) =>
        LoweringRule.KeyOf(call.Method) is var key && ((SpecialLowerings.Find(key) is not null && !call.Arguments.Any(argument => argument is PaddingModes and not PaddingModes.Constant))
            || _rules.ContainsKey(key) || (call.Self is Tensor self && !self.is_complex() && call.Arguments.Length == 0 && Operators.FindOwn("aten::" + call.Method.Name) is not null));

    /// <summary>Whether a call draws from a generator of random numbers.</summary>
    public static bool IsRandom(MethodBase method, object? self, object?[] arguments) =>
        method.Name.Contains("rand", StringComparison.Ordinal) || method.Name is "multinomial" or "bernoulli" or "bernoulli_" or "normal_" or "uniform_" or "poisson" or "binomial" or "cauchy_"
            or "exponential_" or "geometric_" or "log_normal_" or "random_" or "rrelu" or "rrelu_" or "_standard_gamma" or "_sample_dirichlet"
        || method.Name.Contains("fractional_max_pool", StringComparison.Ordinal) || (method.Name.Contains("dropout", StringComparison.Ordinal) && arguments.Any(argument => argument is true))
        || (method.Name == "scaled_dot_product_attention" && arguments.Any(argument => argument is > 0.0)) || self is nn.Module { training: true };

    /// <summary>The operator that writes its result into its first input.</summary>
    private static string InPlace(string name) => name.IndexOf('.') is > 0 and var dot ? name.Insert(dot, "_") : name + "_";
}
