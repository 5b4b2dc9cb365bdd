using System.Reflection;
using System.Text.RegularExpressions;

namespace Toolkit.Graphs.Il;

/// <summary>Types and members as their author wrote them, not as the compiler names them: for messages.</summary>
internal static partial class MemberNames
{
    /// <summary>As in <c>List</c>; what the compiler nests in a class is of that class, and the code of a notebook's cell is of none.</summary>
    public static string Of(Type type)
    {
        while (type is { IsNested: true } && type.Name.StartsWith('<'))
        {
            type = type.DeclaringType!;
        }

        return type.Name.StartsWith("Submission#", StringComparison.Ordinal) ? "" : Arity().Replace(type.Name, "");
    }

    /// <summary>Whether the compiler made a class for what it needs itself; in the assembly of a script its name ends in a number.</summary>
    public static bool IsOfCompiler(Type type) => type.Name.StartsWith("<PrivateImplementationDetails>", StringComparison.Ordinal);

    /// <summary>As in <c>Block.forward</c>, <c>DateTime.Now</c>, <c>List[...]</c>, <c>new Random</c>.</summary>
    public static string Of(MethodBase method)
    {
        var type = method.DeclaringType is { } declaring ? Of(declaring) : "";
        if (method.IsConstructor)
        {
            return $"new {type}";
        }

        var name = Plain(method);
        var accessor = method.IsSpecialName && (name.StartsWith("get_", StringComparison.Ordinal) || name.StartsWith("set_", StringComparison.Ordinal)) ? name[4..] : null;
        return accessor is not null && method.GetParameters().Length > (name[0] == 'g' ? 0 : 1) ? $"{type}[...]" : Within(type, accessor ?? name);
    }

    /// <summary>As in <c>Block.scale</c>; a property stands for the field behind it.</summary>
    public static string Of(FieldInfo field) => Within(field.DeclaringType is { } declaring ? Of(declaring) : "", Plain(field));

    /// <summary>The name of a field, or of the property that the compiler made it for.</summary>
    public static string Plain(FieldInfo field) => Outermost(field.Name);

    /// <summary>A lambda, a local function and the steps of an iterator are named after the method that they stand in; a script's own code has no name.</summary>
    private static string Plain(MethodBase method)
    {
        var name = method.Name == "MoveNext" && method.DeclaringType is { } type && type.Name.StartsWith('<') ? type.Name : method.Name;
        var plain = Outermost(name);
        return plain == "Initialize" && method.DeclaringType is { } declaring && Of(declaring) == "" ? "" : plain[(plain.LastIndexOf('.') + 1)..];
    }

    private static string Outermost(string name) => name.StartsWith('<') && name.TrimStart('<') is var inner && inner.IndexOf('>') is > 0 and var end ? inner[..end] : name;

    private static string Within(string type, string name) => type == "" || name == "" ? $"{type}{name}" : $"{type}.{name}";

    [GeneratedRegex("`[0-9]+")]
    private static partial Regex Arity();
}
