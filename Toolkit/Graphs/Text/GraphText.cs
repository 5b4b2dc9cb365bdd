using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Toolkit.Graphs;

/// <summary>
/// The textual form of a graph. What is written can be read again, and is the same graph then: names, types, arguments, bodies of fused operations, mutations and where everything comes from.
/// <code>
/// graph {
///   input %0: f32[2, 16] argument "input"
///   input %1: f32[16] parameter "norm.weight"
///   %2: f32[2, 16] = aten::mul.Tensor(%0, %1) # "norm" "Norm.forward" "Model.cs":12
///   return %2
/// }
/// </code>
/// </summary>
public static class GraphText
{
    private static readonly JsonSerializerOptions _plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The text of a graph.</summary>
    public static string Write(Graph graph)
    {
        var text = new StringBuilder();
        Write(text, "graph ", graph, "");
        return text.Append('\n').ToString();
    }

    /// <summary>The graph of a text.</summary>
    /// <exception cref="GraphException">It is no graph; the message begins with line and column.</exception>
    public static Graph Parse(string text) => new GraphTextReader(text).Read();

    /// <summary>The name of a kind of input.</summary>
    internal static string NameOf(GraphInputKind kind) => kind.ToString().ToLowerInvariant();

    private static void Write(StringBuilder text, string head, Graph graph, string indent)
    {
        var inner = indent + "  ";
        text.Append(head).Append("{\n");
        foreach (var input in graph.Inputs)
        {
            text.Append($"{inner}input {input} {NameOf(input.Kind)} {Quoted(input.Path)}\n");
        }

        foreach (var node in graph.Nodes)
        {
            text.Append(inner);
            if (node.Body is { } body)
            {
                Write(text, node + " ", body, inner);
            }
            else
            {
                text.Append(node);
            }

            text.Append(Comment(node.Origin)).Append('\n');
        }

        foreach (var (target, value) in graph.Mutations)
        {
            text.Append($"{inner}mutate %{target.Name} = %{value.Name}\n");
        }

        text.Append($"{inner}return {string.Join(", ", graph.Outputs.Select(output => $"%{output.Name}"))}".TrimEnd()).Append($"\n{indent}}}");
    }

    private static string Comment(Origin origin) =>
        origin == Origin.None ? ""
        : $" # {Quoted(origin.Module)} {Quoted(origin.Method)}" + (origin.File is null && origin.Line == 0 ? "" : FormattableString.Invariant($" {Quoted(origin.File ?? "")}:{origin.Line}"));

    private static string Quoted(string text) => JsonSerializer.Serialize(text, _plain);
}
