using System.Globalization;
using TorchSharp;

namespace Toolkit.Graphs.Capture;

/// <summary>Names of the types that a saved call may return, and constants of them as text. Nothing else is ever made from a file.</summary>
internal static class TypeNames
{
    private static readonly Dictionary<string, Type> _simple = new(StringComparer.Ordinal)
    {
        ["tensor"] = typeof(torch.Tensor),
        ["object"] = typeof(object),
        ["string"] = typeof(string),
        ["bool"] = typeof(bool),
        ["int"] = typeof(int),
        ["long"] = typeof(long),
        ["float"] = typeof(float),
        ["double"] = typeof(double),
    };

    private static readonly Dictionary<string, Type> _generic = new(StringComparer.Ordinal)
    {
        ["list"] = typeof(List<>),
        ["dictionary"] = typeof(Dictionary<,>),
        ["nullable"] = typeof(Nullable<>),
        ["tuple1"] = typeof(ValueTuple<>),
        ["tuple2"] = typeof(ValueTuple<,>),
        ["tuple3"] = typeof(ValueTuple<,,>),
        ["tuple4"] = typeof(ValueTuple<,,,>),
        ["tuple5"] = typeof(ValueTuple<,,,,>),
        ["tuple6"] = typeof(ValueTuple<,,,,,>),
        ["tuple7"] = typeof(ValueTuple<,,,,,,>),
        ["tuple8"] = typeof(ValueTuple<,,,,,,,>),
        ["class1"] = typeof(Tuple<>),
        ["class2"] = typeof(Tuple<,>),
        ["class3"] = typeof(Tuple<,,>),
        ["class4"] = typeof(Tuple<,,,>),
        ["class5"] = typeof(Tuple<,,,,>),
        ["class6"] = typeof(Tuple<,,,,,>),
        ["class7"] = typeof(Tuple<,,,,,,>),
    };

    /// <summary>The name of a type.</summary>
    /// <exception cref="CompiledArtifactException">It has none.</exception>
    public static string Of(Type type)
    {
        if (type.IsArray && type.GetArrayRank() == 1)
        {
            return $"array({Of(type.GetElementType()!)})";
        }

        var definition = type.IsGenericType ? type.GetGenericTypeDefinition() : type;
        var name = (type.IsGenericType ? _generic : _simple).FirstOrDefault(entry => entry.Value == definition).Key
            ?? throw new CompiledArtifactException($"a {type.Name} is returned, which an artifact cannot make again: return tensors, tuples, arrays, lists or dictionaries of them");
        return type.IsGenericType ? $"{name}({string.Join(",", type.GetGenericArguments().Select(Of))})" : name;
    }

    /// <summary>The type of a name.</summary>
    /// <exception cref="FormatException">There is none.</exception>
    public static Type Find(string name)
    {
        var position = 0;
        var type = Read(name, ref position, 0);
        return position == name.Length ? type : throw new FormatException($"\"{name}\" is no type");
    }

    /// <summary>A constant as text.</summary>
    public static string? Text(object? value) => value switch
    {
        null => null,
        float number => number.ToString("R", CultureInfo.InvariantCulture),
        double number => number.ToString("R", CultureInfo.InvariantCulture),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture),
    };

    /// <summary>A constant of a text.</summary>
    /// <exception cref="FormatException">It is none of that type.</exception>
    public static object? Value(string? text, Type type) => text is null ? null
        : type == typeof(string) ? text
        : type == typeof(bool) || type == typeof(int) || type == typeof(long) || type == typeof(float) || type == typeof(double) ? Convert.ChangeType(text, type, CultureInfo.InvariantCulture)
        : throw new FormatException($"there are no constants of {type.Name}");

    private static Type Read(string text, ref int position, int depth)
    {
        var start = position;
        while (position < text.Length && char.IsAsciiLetterOrDigit(text[position]))
        {
            position++;
        }

        var name = text[start..position];
        if (position == text.Length || text[position] != '(')
        {
            return _simple.GetValueOrDefault(name) ?? throw new FormatException($"there is no type \"{name}\"");
        }

        var arguments = new List<Type>();
        do
        {
            position++;
            arguments.Add(depth < 16 ? Read(text, ref position, depth + 1) : throw new FormatException("a type is nested too deeply"));
        }
        while (position < text.Length && text[position] == ',');
        if (position == text.Length || text[position++] != ')')
        {
            throw new FormatException($"\"{text}\" is no type");
        }

        return name == "array" && arguments.Count == 1 ? arguments[0].MakeArrayType()
            : _generic.TryGetValue(name, out var generic) && generic.GetGenericArguments().Length == arguments.Count ? generic.MakeGenericType([.. arguments])
            : throw new FormatException($"there is no type \"{name}\" of {arguments.Count}");
    }
}
