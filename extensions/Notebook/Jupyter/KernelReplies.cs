using System.Text;
using System.Text.Json.Nodes;

namespace Toolkit.Notebook.Jupyter;

/// <summary>The contents of the answers to requests.</summary>
internal static class KernelReplies
{
    /// <summary>What this kernel is.</summary>
    public static JsonObject Info() => new()
    {
        ["status"] = "ok",
        ["protocol_version"] = KernelMessage.Version,
        ["implementation"] = "toolkit",
        ["implementation_version"] = typeof(KernelReplies).Assembly.GetName().Version!.ToString(3),
        ["language_info"] = new JsonObject
        {
            ["name"] = "C#",
            ["version"] = "14.0",
            ["mimetype"] = "text/x-csharp",
            ["file_extension"] = ".cs",
            ["pygments_lexer"] = "csharp",
            ["codemirror_mode"] = "text/x-csharp",
        },
        ["banner"] = $"Toolkit: C# on .NET {Environment.Version}",
        ["help_links"] = new JsonArray(),
    };

    /// <summary>Whether Enter may run the code.</summary>
    public static JsonObject IsComplete(string code) =>
        CodeAssistant.IsComplete(code) ? new() { ["status"] = "complete" } : new() { ["status"] = "incomplete", ["indent"] = "" };

    /// <summary>What could stand at the cursor.</summary>
    public static JsonObject Completions(ScriptSession session, JsonObject request)
    {
        var code = (string?)request["code"] ?? "";
        var found = session.Complete(code, Utf16(code, (int?)request["cursor_pos"] ?? 0));
        var (start, end) = (CodePoints(code, found.Start), CodePoints(code, found.End));
        return new()
        {
            ["status"] = "ok",
            ["matches"] = new JsonArray([.. found.Items.Select(item => (JsonNode)item.Text)]),
            ["cursor_start"] = start,
            ["cursor_end"] = end,
            ["metadata"] = new JsonObject
            {
                ["_jupyter_types_experimental"] = new JsonArray([.. found.Items.Select(item => (JsonNode)new JsonObject
                {
                    ["start"] = start, ["end"] = end, ["text"] = item.Text, ["type"] = item.Kind, ["signature"] = item.Signature, ["documentation"] = item.Documentation,
                })]),
            },
        };
    }

    /// <summary>What stands at the cursor.</summary>
    public static JsonObject Inspection(ScriptSession session, JsonObject request)
    {
        var code = (string?)request["code"] ?? "";
        var found = session.Inspect(code, Utf16(code, (int?)request["cursor_pos"] ?? 0), (int?)request["detail_level"] > 0);
        return new()
        {
            ["status"] = "ok",
            ["found"] = found is not null,
            ["data"] = found is null ? new JsonObject() : new JsonObject { ["text/plain"] = found },
            ["metadata"] = new JsonObject(),
        };
    }

    /// <summary>The code that was run, newest last.</summary>
    public static JsonObject History(IReadOnlyList<(int Line, string Code)> history, JsonObject request)
    {
        var most = (int?)request["n"] ?? int.MaxValue;
        var pattern = (string?)request["pattern"];
        var chosen = (string?)request["hist_access_type"] switch
        {
            "range" => history.Where(item => item.Line >= ((int?)request["start"] ?? 0) && item.Line < ((int?)request["stop"] ?? int.MaxValue)),
            "search" when pattern is not null => history.Where(item => System.IO.Enumeration.FileSystemName.MatchesSimpleExpression(pattern, item.Code, ignoreCase: false)).TakeLast(most),
            _ => history.TakeLast(most),
        };
        return new()
        {
            ["status"] = "ok",
            ["history"] = new JsonArray([.. chosen.Select(item => (JsonNode)new JsonArray(0, item.Line, item.Code))]),
        };
    }

    /// <summary>The open comms, of one target where it is given.</summary>
    public static JsonObject Comms(IReadOnlyDictionary<string, string> open, string? target) => new()
    {
        ["status"] = "ok",
        ["comms"] = new JsonObject(open.Where(comm => target is null || comm.Value == target)
            .Select(comm => KeyValuePair.Create(comm.Key, (JsonNode?)new JsonObject { ["target_name"] = comm.Value }))),
    };

    /// <summary>An error as every reply tells it.</summary>
    public static JsonObject Failure(string name, string message, IEnumerable<string> traceback) => new()
    {
        ["status"] = "error",
        ["ename"] = name,
        ["evalue"] = message,
        ["traceback"] = new JsonArray([.. traceback.Select(line => (JsonNode)line)]),
    };

    /// <summary>The protocol counts code points, .NET counts UTF-16 units.</summary>
    private static int Utf16(string code, int codePoints) => code.EnumerateRunes().Take(codePoints).Sum(rune => rune.Utf16SequenceLength);

    private static int CodePoints(string code, int utf16) => code[..utf16].EnumerateRunes().Count();
}
