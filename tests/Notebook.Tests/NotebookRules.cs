using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Notebook.Tests;

/// <summary>The structural rules of nbformat 4.5 that a written notebook has to keep.</summary>
internal static class NotebookRules
{
    public static void Check(JsonObject document)
    {
        Assert.Equal(4, (int)document["nbformat"]!);
        Assert.True((int)document["nbformat_minor"]! >= 5, "nbformat_minor");
        var metadata = Assert.IsType<JsonObject>(document["metadata"]);
        Assert.Equal(".net-csharp", (string?)metadata["kernelspec"]?["name"]);
        Assert.NotNull((string?)metadata["kernelspec"]?["display_name"]);
        Assert.Equal("C#", (string?)metadata["language_info"]?["name"]);
        var ids = new HashSet<string>();
        foreach (var cell in Assert.IsType<JsonArray>(document["cells"]))
        {
            CheckCell(Assert.IsType<JsonObject>(cell), ids);
        }
    }

    private static void CheckCell(JsonObject cell, HashSet<string> ids)
    {
        var id = (string?)cell["id"];
        Assert.Matches(new Regex("^[a-zA-Z0-9_-]{1,64}$"), id);
        Assert.True(ids.Add(id!), $"cell id {id} twice");
        Assert.IsType<JsonObject>(cell["metadata"]);
        Text(cell["source"]);
        var type = (string?)cell["cell_type"];
        Assert.Contains(type, new[] { "code", "markdown", "raw" });
        if (type != "code")
        {
            Assert.False(cell.ContainsKey("outputs"));
            return;
        }

        Count(cell);
        foreach (var output in Assert.IsType<JsonArray>(cell["outputs"]))
        {
            CheckOutput(Assert.IsType<JsonObject>(output));
        }
    }

    private static void CheckOutput(JsonObject output)
    {
        switch ((string?)output["output_type"])
        {
            case "stream":
                Only(output, "name", "text");
                Assert.Contains((string?)output["name"], new[] { "stdout", "stderr" });
                Text(output["text"]);
                break;
            case "display_data":
                Only(output, "data", "metadata");
                Data(output);
                break;
            case "execute_result":
                Only(output, "data", "metadata", "execution_count");
                Data(output);
                Count(output);
                break;
            case "error":
                Only(output, "ename", "evalue", "traceback");
                Assert.IsType<string>((string?)output["ename"]);
                Assert.IsType<string>((string?)output["evalue"]);
                Assert.All(Assert.IsType<JsonArray>(output["traceback"]), line => Assert.NotNull((string?)line));
                break;
            default:
                Assert.Fail($"output_type {output["output_type"]}");
                break;
        }
    }

    private static void Only(JsonObject output, params string[] names) =>
        Assert.Equal(names.Append("output_type").Order(), output.Select(part => part.Key).Order());

    private static void Data(JsonObject output)
    {
        Assert.IsType<JsonObject>(output["metadata"]);
        // A JSON type holds JSON, every other one text.
        Assert.All(Assert.IsType<JsonObject>(output["data"]).Where(part => !part.Key.EndsWith("+json", StringComparison.Ordinal)), part => Text(part.Value));
    }

    private static void Count(JsonObject owner)
    {
        Assert.True(owner.ContainsKey("execution_count"));
        Assert.True(owner["execution_count"] is null || owner["execution_count"]!.GetValueKind() == JsonValueKind.Number);
    }

    private static void Text(JsonNode? node)
    {
        if (node is JsonArray lines)
        {
            Assert.All(lines, line => Assert.Equal(JsonValueKind.String, line!.GetValueKind()));
        }
        else
        {
            Assert.Equal(JsonValueKind.String, node!.GetValueKind());
        }
    }
}
