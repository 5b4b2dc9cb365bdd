namespace Toolkit.Text;

/// <summary>The tests behind <c>is</c>.</summary>
internal static class TemplateTests
{
    public static bool Apply(string name, object? value, List<object?> arguments) => name switch
    {
        "defined" => value is not TemplateUndefined,
        "undefined" => value is TemplateUndefined,
        "none" => value is null,
        "string" => value is string,
        "mapping" => value is OrderedDictionary<string, object?> or TemplateNamespace,
        "sequence" => value is string or List<object?> or OrderedDictionary<string, object?>,
        "iterable" => value is string or List<object?> or OrderedDictionary<string, object?> or TemplateUndefined,
        "number" => value is long or double or bool,
        "integer" => value is long,
        "float" => value is double,
        "boolean" => value is bool,
        "true" => value is true,
        "false" => value is false,
        "callable" => value is TemplateFunction,
        "even" => Whole(value) % 2 == 0,
        "odd" => Whole(value) % 2 != 0,
        "divisibleby" => Whole(Argument(name, arguments)) is not 0 and var divisor ? Whole(value) % divisor == 0 : throw new TemplateException("a division by zero"),
        "eq" or "equalto" or "sameas" => TemplateArithmetic.AreEqual(value, Argument(name, arguments)),
        "ne" => !TemplateArithmetic.AreEqual(value, Argument(name, arguments)),
        "lt" or "lessthan" => TemplateArithmetic.Compare(value, Argument(name, arguments)) < 0,
        "le" => TemplateArithmetic.Compare(value, Argument(name, arguments)) <= 0,
        "gt" or "greaterthan" => TemplateArithmetic.Compare(value, Argument(name, arguments)) > 0,
        "ge" => TemplateArithmetic.Compare(value, Argument(name, arguments)) >= 0,
        "in" => TemplateArithmetic.Contains(Argument(name, arguments), value),
        "lower" => value is string text && text.Any(char.IsLower) && !text.Any(char.IsUpper),
        "upper" => value is string text && text.Any(char.IsUpper) && !text.Any(char.IsLower),
        _ => throw new TemplateException($"the test '{name}' is not supported"),
    };

    private static object? Argument(string name, List<object?> arguments) => arguments.Count > 0 ? arguments[0] : throw new TemplateException($"the test '{name}' lacks its argument");

    private static long Whole(object? value) => value is long number ? number : throw new TemplateException($"{TemplateValue.Name(value)} is no whole number");
}
