using System.Text.Json;
using System.Text.Json.Nodes;

namespace Toolkit.Notebook.Jupyter;

/// <summary>Where a front end listens and what it signs with: the file that it starts a kernel with.</summary>
/// <param name="Transport">tcp or ipc.</param>
/// <param name="Address">The address to bind to, and no other.</param>
/// <param name="Shell">Port of requests.</param>
/// <param name="Control">Port of requests that do not wait for a running cell.</param>
/// <param name="Output">Port that outputs are published on.</param>
/// <param name="Input">Port on which the kernel asks for input.</param>
/// <param name="Heartbeat">Port that echoes.</param>
/// <param name="Key">The key of the signatures; empty: messages are not signed.</param>
internal sealed record ConnectionFile(string Transport, string Address, int Shell, int Control, int Output, int Input, int Heartbeat, string Key)
{
    /// <summary>Reads the file.</summary>
    /// <exception cref="InvalidDataException">It is not a connection file.</exception>
    public static ConnectionFile Read(string path)
    {
        try
        {
            var json = JsonNode.Parse(File.ReadAllText(path))!;
            var scheme = (string?)json["signature_scheme"] ?? MessageCodec.Scheme;
            return scheme == MessageCodec.Scheme
                ? new((string)json["transport"]!, (string)json["ip"]!, Port("shell_port"), Port("control_port"), Port("iopub_port"), Port("stdin_port"), Port("hb_port"), (string?)json["key"] ?? "")
                : throw new InvalidDataException($"{path}: the signature scheme {scheme} is not {MessageCodec.Scheme}");

            int Port(string name) => (int?)json[name] ?? throw new InvalidDataException($"{path}: there is no {name}");
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException or NullReferenceException or ArgumentException)
        {
            throw new InvalidDataException($"{path} is not a connection file: {problem.Message}", problem);
        }
    }

    /// <summary>The endpoint of a port.</summary>
    public string Endpoint(int port) => Transport == "ipc" ? $"ipc://{Address}-{port}" : $"{Transport}://{Address}:{port}";
}
