using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using NetMQ;
using NetMQ.Sockets;
using Toolkit.Notebook.Jupyter;

namespace Toolkit.Benchmarks.Notebook;

/// <summary>A kernel in a process of its own, and the front end that talks to it.</summary>
internal sealed class KernelProcess : IDisposable
{
    private const string Key = "a-key";
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(2);
    private readonly MessageCodec _codec = new(Key);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("kernel");
    private readonly DealerSocket _shell = new();
    private readonly DealerSocket _control = new();
    private readonly Process _process;

    private KernelProcess()
    {
        var ports = FreePorts(5);
        var file = Path.Combine(_folder.FullName, "connection.json");
        File.WriteAllText(file, new JsonObject
        {
            ["transport"] = "tcp",
            ["ip"] = "127.0.0.1",
            ["key"] = Key,
            ["signature_scheme"] = "hmac-sha256",
            ["shell_port"] = ports[0],
            ["control_port"] = ports[1],
            ["iopub_port"] = ports[2],
            ["stdin_port"] = ports[3],
            ["hb_port"] = ports[4],
        }.ToJsonString());
        _shell.Connect($"tcp://127.0.0.1:{ports[0]}");
        _control.Connect($"tcp://127.0.0.1:{ports[1]}");
        var clock = Stopwatch.GetTimestamp();
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "Toolkit.Notebook"), ["kernel", "start", file]) { RedirectStandardOutput = true, RedirectStandardError = true };
        _process = Process.Start(start)!;
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        Request("kernel_info_request", []);
        StartTime = Stopwatch.GetElapsedTime(clock);
    }

    /// <summary>From the start of the process to its first answer.</summary>
    public TimeSpan StartTime { get; }

    /// <summary>Memory of the process that is not swapped out.</summary>
    public long ResidentBytes
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64;
        }
    }

    public static KernelProcess Start() => new();

    /// <summary>Runs a cell and waits for the reply.</summary>
    public void Execute(string code)
    {
        var reply = Request("execute_request", Cell(code));
        if ((string?)reply["status"] != "ok")
        {
            throw new InvalidOperationException($"the cell failed: {reply.ToJsonString()}");
        }
    }

    /// <summary>Sends a request on the shell channel and waits for its reply.</summary>
    public JsonObject Request(string type, JsonObject content) => Wait(_shell, Send(_shell, type, content));

    /// <summary>From the interrupt of a running cell to its reply.</summary>
    public TimeSpan InterruptTime(string code)
    {
        var cell = Send(_shell, "execute_request", Cell(code));
        Thread.Sleep(300);
        var clock = Stopwatch.GetTimestamp();
        Send(_control, "interrupt_request", []);
        Wait(_shell, cell);
        return Stopwatch.GetElapsedTime(clock);
    }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        _shell.Dispose();
        _control.Dispose();
        _folder.Delete(recursive: true);
    }

    private static JsonObject Cell(string code) => new() { ["code"] = code, ["silent"] = false, ["store_history"] = true, ["allow_stdin"] = false, ["stop_on_error"] = true };

    private static int[] FreePorts(int count)
    {
        var listeners = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToArray();
        Array.ForEach(listeners, listener => listener.Start());
        var ports = listeners.Select(listener => ((IPEndPoint)listener.LocalEndpoint).Port).ToArray();
        Array.ForEach(listeners, listener => listener.Stop());
        return ports;
    }

    private string Send(DealerSocket socket, string type, JsonObject content)
    {
        var message = KernelMessage.Create(type, content, null, "benchmark", DateTimeOffset.UnixEpoch, []);
        socket.SendMultipartBytes(_codec.Encode(message));
        return (string)message.Header["msg_id"]!;
    }

    private JsonObject Wait(DealerSocket socket, string id)
    {
        var frames = new List<byte[]>();
        while (socket.TryReceiveMultipartBytes(_patience, ref frames!))
        {
            if (_codec.Decode(frames) is var message && (string?)message.Parent["msg_id"] == id)
            {
                return message.Content;
            }
        }

        throw new TimeoutException($"the kernel did not answer within {_patience}");
    }
}
