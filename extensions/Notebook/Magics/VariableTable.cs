using System.Collections;
using Microsoft.CodeAnalysis.Scripting;
using Toolkit.Display;
using TorchSharp;

namespace Toolkit.Notebook.Magics;

/// <summary>The variable view: every variable that cells declared, newest meaning of a name, with type, shape, bytes and value.</summary>
internal static class VariableTable
{
    private const int LongestValue = 80;
    private const int MostItems = 8;

    /// <summary>The names alone.</summary>
    public static TableView Names(IEnumerable<ScriptVariable> variables) => new(["variable"], Newest(variables).Select(variable => (IReadOnlyList<object?>)[variable.Name]));

    /// <summary>Everything.</summary>
    public static TableView Details(IEnumerable<ScriptVariable> variables) => new(
        ["variable", "type", "shape", "bytes", "value"],
        Newest(variables).Select(variable => (IReadOnlyList<object?>)[variable.Name, TypeName(variable.Type), Shape(variable.Value), Bytes(variable.Value), Value(variable.Value)]));

    private static IEnumerable<ScriptVariable> Newest(IEnumerable<ScriptVariable> variables) =>
        variables.GroupBy(variable => variable.Name).Select(group => group.Last()).OrderBy(variable => variable.Name, StringComparer.Ordinal);

    private static string TypeName(Type type)
    {
        if (type.IsArray)
        {
            return $"{TypeName(type.GetElementType()!)}[{new string(',', type.GetArrayRank() - 1)}]";
        }

        var name = type.Name.Split('`')[0];
        return type.IsGenericType ? $"{name}<{string.Join(", ", type.GetGenericArguments().Select(TypeName))}>" : Keyword(type) ?? name;
    }

    private static string? Keyword(Type type) => Type.GetTypeCode(type) switch
    {
        _ when type.IsEnum => null,
        TypeCode.Int32 => "int",
        TypeCode.Int64 => "long",
        TypeCode.Single => "float",
        TypeCode.Double => "double",
        TypeCode.Boolean => "bool",
        TypeCode.String => "string",
        TypeCode.Byte => "byte",
        TypeCode.Char => "char",
        TypeCode.Decimal => "decimal",
        _ => type == typeof(object) ? "object" : null,
    };

    private static string? Shape(object? value) => value switch
    {
        torch.Tensor { IsInvalid: false } tensor => Dimensions(tensor.shape),
        torch.nn.Module module => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{module.parameters().Sum(parameter => parameter.numel()):N0} parameters"),
        Array array => Dimensions(Enumerable.Range(0, array.Rank).Select(array.GetLongLength)),
        string text => Dimensions([text.Length]),
        Microsoft.Data.Analysis.DataFrame frame => Dimensions([frame.Rows.Count, frame.Columns.Count]),
        ICollection collection => Dimensions([collection.Count]),
        _ => null,
    };

    private static long? Bytes(object? value) => value switch
    {
        torch.Tensor { IsInvalid: false } tensor => tensor.numel() * tensor.element_size(),
        torch.nn.Module module => module.parameters().Concat(module.buffers()).Sum(tensor => tensor.numel() * tensor.element_size()),
        string text => text.Length * sizeof(char),
        Array array when array.GetType().GetElementType() is { IsPrimitive: true } => Buffer.ByteLength(array),
        _ => null,
    };

    private static string Value(object? value)
    {
        try
        {
            var text = value switch
            {
                torch.Tensor { IsInvalid: true } => "(disposed)",
                string words => words,
                torch.Tensor or torch.nn.Module or Microsoft.Data.Analysis.DataFrame => Formatter.Format(value).Plain,
                IEnumerable items => $"[{string.Join(", ", items.Cast<object?>().Take(MostItems + 1).Select((item, index) => index < MostItems ? Convert.ToString(item, System.Globalization.CultureInfo.InvariantCulture) : "…"))}]",
                _ => Formatter.Format(value).Plain,
            };
            text = text.ReplaceLineEndings(" ");
            return text.Length <= LongestValue ? text : text[..(LongestValue - 1)] + "…";
        }
        catch (Exception problem)
        {
            return $"({problem.GetType().Name})";
        }
    }

    private static string Dimensions(IEnumerable<long> sizes) => $"({string.Join(", ", sizes)})";
}
