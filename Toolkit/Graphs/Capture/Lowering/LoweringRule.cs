using System.Collections.Immutable;
using System.Globalization;
using System.Reflection;

namespace Toolkit.Graphs.Capture;

/// <summary>
/// How the parameters of a TorchSharp method become those of an operator, as in <c>Tensor.add(Tensor,Scalar) => add.Tensor(@, $0, $1)</c>: @ is the receiver, $0 the first
/// argument, $1*2 an argument given twice if it is one number, #dtype, #device and #shape those of the result, everything else a constant.
/// </summary>
internal sealed class LoweringRule
{
    private readonly (string? Parameter, string Value)[] _arguments;

    private LoweringRule(string key, string op, (string?, string)[] arguments) => (Key, Operator, _arguments) = (key, op, arguments);

    /// <summary>Type, name and parameter types of the method.</summary>
    public string Key { get; }

    /// <summary>Name of the operator.</summary>
    public string Operator { get; }

    /// <summary>Reads a rule.</summary>
    public static LoweringRule Parse(string text)
    {
        var sides = text.Split(" => ");
        var open = sides[1].IndexOf('(');
        var arguments = sides[1][(open + 1)..^1].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(part =>
        {
            var named = part.Split('=', 2);
            return named.Length == 2 ? (named[0], named[1]) : ((string?)null, part);
        });
        return new(sides[0], "aten::" + sides[1][..open], [.. arguments]);
    }

    /// <summary>The key of a method.</summary>
    public static string KeyOf(MethodBase method) =>
        $"{(typeof(TorchSharp.torch.Tensor).IsAssignableFrom(method.DeclaringType) ? "Tensor" : method.DeclaringType!.Name)}.{method.Name}({string.Join(',', method.GetParameters().Select(p => Name(p.ParameterType)))})";

    /// <summary>Adds the node; null where an argument does not fit.</summary>
    public IReadOnlyList<Value>? Apply(LeafCall call, Operator op)
    {
        var arguments = op.Parameters.Select(parameter => parameter.Default).ToArray();
        var used = new bool[call.Arguments.Length];
        for (var i = 0; i < _arguments.Length; i++)
        {
            var (name, text) = _arguments[i];
            var place = name is null ? i : op.IndexOf(name);
            arguments[place] = Evaluate(call, text, op.Parameters[place], used);
        }

        // What the rule does not mention must be what it is by default.
        for (var i = 0; i < used.Length; i++)
        {
            if (!used[i] && call.Arguments[i] is not (null or false or 0 or 0L or 0.0))
            {
                return null;
            }
        }

        return Array.Exists(arguments, argument => argument is null) ? null : call.Add(op, [.. arguments!]).Outputs;
    }

    private static Argument? Evaluate(LeafCall call, string text, OperatorParameter parameter, bool[] used)
    {
        switch (text)
        {
            case "@":
                return call.Value(call.Self);
            case "#dtype":
                Use<TorchSharp.torch.ScalarType>(call, used);
                return call.Results[0].dtype;
            case "#device":
                Use<TorchSharp.torch.Device>(call, used);
                return new DeviceArgument(ArgumentOf.Name(call.Results[0].device));
            case "#shape":
                return call.Results[0].shape;
            case "none":
                return NoArgument.Instance;
        }

        if (!text.StartsWith('$'))
        {
            return long.TryParse(text, CultureInfo.InvariantCulture, out var number) ? number
                : double.TryParse(text, CultureInfo.InvariantCulture, out var real) ? real
                : bool.TryParse(text, out var flag) ? flag : (Argument)text;
        }

        var isPair = text.EndsWith("*2", StringComparison.Ordinal);
        var index = int.Parse(isPair ? text[1..^2] : text[1..], CultureInfo.InvariantCulture);
        used[index] = true;
        var value = call.Arguments[index];
        return isPair && ArgumentOf.Integers(value) is [var one] ? new long[] { one, one } : ArgumentOf.Object(call, value, parameter);
    }

    /// <summary>What was asked for is what the result has.</summary>
    private static void Use<T>(LeafCall call, bool[] used)
    {
        for (var i = 0; i < used.Length; i++)
        {
            used[i] |= call.Arguments[i] is T;
        }
    }

    private static string Name(Type type)
    {
        if (Nullable.GetUnderlyingType(type) is { } inner)
        {
            return Name(inner) + "?";
        }

        if (type.IsArray)
        {
            return Name(type.GetElementType()!) + "[]";
        }

        var name = type.Name.Split('`')[0];
        return (Type.GetTypeCode(type), type.IsEnum) switch
        {
            (_, true) => name,
            (TypeCode.Int64, _) => "long",
            (TypeCode.Int32, _) => "int",
            (TypeCode.Double, _) => "double",
            (TypeCode.Single, _) => "float",
            (TypeCode.Boolean, _) => "bool",
            (TypeCode.String, _) => "string",
            _ => type.IsGenericType ? $"{name}<{string.Join(';', type.GetGenericArguments().Select(Name))}>" : name,
        };
    }
}
