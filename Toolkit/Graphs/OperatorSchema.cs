using System.Collections.Immutable;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Toolkit.Graphs;

/// <summary>Reads ATen's notation of an operator.</summary>
internal static partial class OperatorSchema
{
    /// <summary>Name, parameters and types of what is returned.</summary>
    /// <exception cref="FormatException">The text is no schema.</exception>
    public static (string Name, ImmutableArray<OperatorParameter> Parameters, ImmutableArray<string> Returns) Parse(string schema)
    {
        var match = Whole().Match(schema);
        if (!match.Success)
        {
            throw new FormatException($"not the schema of an operator: {schema}");
        }

        var returned = match.Groups["returns"].Value.Trim();
        if (returned.StartsWith('('))
        {
            returned = returned[1..^1];
        }

        return (
            match.Groups["name"].Value,
            [.. Split(match.Groups["parameters"].Value).Where(part => part != "*").Select(part => Parameter(part, schema))],
            [.. Split(returned).Select(part => Alias().Replace(part, "").Split(' ')[0])]);
    }

    private static OperatorParameter Parameter(string text, string schema)
    {
        var match = OneParameter().Match(text);
        if (!match.Success)
        {
            throw new FormatException($"\"{text}\" is no parameter, in the schema {schema}");
        }

        var type = SizedList().Replace(match.Groups["type"].Value + match.Groups["rest"].Value, "[]");
        var alias = match.Groups["alias"].Value;
        var fallback = match.Groups["default"];
        return new(match.Groups["name"].Value, type, fallback.Success ? Default(fallback.Value, type) : null, alias != "", alias.Contains('!'));
    }

    private static Argument Default(string text, string type)
    {
        switch (text)
        {
            case "None":
                return NoArgument.Instance;
            case "True" or "False":
                return text == "True";
            case "[]":
                return new IntegersArgument([]);
            case "Mean":
                return 1L;
            case "contiguous_format":
                return text;
            case "long":
                return TorchSharp.torch.ScalarType.Int64;
        }

        if (text.StartsWith('['))
        {
            return new IntegersArgument([.. text[1..^1].Split(',').Select(part => long.Parse(part, CultureInfo.InvariantCulture))]);
        }

        if (text.StartsWith('\'') || text.StartsWith('"'))
        {
            return text[1..^1];
        }

        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var integer))
        {
            return type.EndsWith("[]", StringComparison.Ordinal) ? new IntegersArgument([integer]) : type == "float" ? new FloatArgument(integer) : new IntegerArgument(integer);
        }

        return double.TryParse(text, CultureInfo.InvariantCulture, out var number) ? number : throw new FormatException($"\"{text}\" is no default that is understood");
    }

    /// <summary>At commas that are in no bracket.</summary>
    private static IEnumerable<string> Split(string text)
    {
        var (depth, begin) = (0, 0);
        for (var i = 0; i <= text.Length; i++)
        {
            var c = i == text.Length ? ',' : text[i];
            depth += c is '[' or '(' ? 1 : c is ']' or ')' ? -1 : 0;
            if (c == ',' && (depth == 0 || i == text.Length))
            {
                if (text[begin..i].Trim() is { Length: > 0 } part)
                {
                    yield return part;
                }

                begin = i + 1;
            }
        }
    }

    [GeneratedRegex(@"^(?<name>\w+::\w+(\.\w+)?)\((?<parameters>.*)\)\s*->\s*(?<returns>.+)$")]
    private static partial Regex Whole();

    [GeneratedRegex(@"^(?<type>\w+)(\((?<alias>[^)]*)\))?(?<rest>(\[\d*\])?\??(\[\d*\])?)\s+(?<name>\w+)(=(?<default>.+))?$")]
    private static partial Regex OneParameter();

    [GeneratedRegex(@"\[\d+\]")]
    private static partial Regex SizedList();

    [GeneratedRegex(@"\([^)]*\)")]
    private static partial Regex Alias();
}
