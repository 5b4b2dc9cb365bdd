using System.Text.Json.Nodes;

namespace Toolkit.Notebook.Jupyter;

/// <summary>One message of the Jupyter protocol (https://jupyter-client.readthedocs.io/en/stable/messaging.html).</summary>
/// <param name="Identities">Who to route it to; for published messages the topic.</param>
/// <param name="Header">Its id, session, type and date.</param>
/// <param name="Parent">The header of the request that it belongs to, or empty.</param>
/// <param name="Content">What it says.</param>
internal sealed record KernelMessage(IReadOnlyList<byte[]> Identities, JsonObject Header, JsonObject Parent, JsonObject Content)
{
    /// <summary>Version of the protocol.</summary>
    public const string Version = "5.4";

    /// <summary>What kind of message it is, such as execute_request.</summary>
    public string Type => (string?)Header["msg_type"] ?? "";

    /// <summary>A message that belongs to a request, or to none.</summary>
    public static KernelMessage Create(string type, JsonObject content, KernelMessage? request, string session, DateTimeOffset date, IReadOnlyList<byte[]> identities) => new(
        identities,
        new JsonObject
        {
            ["msg_id"] = Guid.NewGuid().ToString("N"),
            ["session"] = session,
            ["username"] = "kernel",
            ["date"] = date.ToString("O"),
            ["msg_type"] = type,
            ["version"] = Version,
        },
        request?.Header.DeepClone().AsObject() ?? [],
        content);
}
