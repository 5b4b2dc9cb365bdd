using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using NetMQ;
using NetMQ.Sockets;
using Toolkit.Notebook.Jupyter;

namespace Notebook.Tests;

/// <summary>A kernel and a front end that talk over real sockets.</summary>
public sealed class JupyterKernelTests : IDisposable
{
    private const string Key = "a-key";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("kernel");
    private readonly MessageCodec _codec = new(Key);
    private readonly ConnectionFile _connection;
    private readonly JupyterKernel _kernel;
    private readonly Task _running;
    private readonly DealerSocket _shell = new();
    private readonly DealerSocket _control = new();
    private readonly DealerSocket _input = new();
    private readonly SubscriberSocket _output = new();
    private readonly DealerSocket _heartbeat = new();

    public JupyterKernelTests()
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
        _connection = ConnectionFile.Read(file);
        _kernel = new JupyterKernel(_connection, TimeProvider.System);
        _running = _kernel.Run();
        foreach (var (socket, port) in new (NetMQSocket, int)[] { (_shell, ports[0]), (_control, ports[1]), (_input, ports[3]), (_output, ports[2]), (_heartbeat, ports[4]) })
        {
            // Questions for input are routed to the identity that asked on the shell channel.
            socket.Options.Identity = "front-end"u8.ToArray();
            socket.Connect(_connection.Endpoint(port));
        }

        _output.SubscribeToAnyTopic();
        // A subscription takes a moment: ask until an answer's status arrives.
        while (Request(_shell, "kernel_info_request", []).Outputs.Count == 0)
        {
        }
    }

    public void Dispose()
    {
        _kernel.Dispose();
        foreach (var socket in new NetMQSocket[] { _shell, _control, _input, _output, _heartbeat })
        {
            socket.Dispose();
        }

        _folder.Delete(recursive: true);
    }

    [Fact]
    public void TellsWhatItIs()
    {
        var reply = Request(_shell, "kernel_info_request", []).Reply;
        Assert.Equal("5.4", (string?)reply["protocol_version"]);
        Assert.Equal("C#", (string?)reply["language_info"]!["name"]);
        _heartbeat.SendFrame("beat");
        Assert.Equal("beat", _heartbeat.ReceiveFrameString());
    }

    [Fact]
    public void RunsCellsThatShareVariables()
    {
        Execute("var x = 40;");
        var (reply, outputs) = Execute("Console.Write(\"a\"); Console.WriteLine(\"b\"); Console.Error.Write(\"c\"); x + 2");
        Assert.Equal("ok", (string?)reply["status"]);
        Assert.Equal(2, (int?)reply["execution_count"]);
        Assert.Equal(["status", "execute_input", "stream", "stream", "execute_result", "status"], outputs.Select(output => output.Type));
        Assert.Equal("ab\n", (string?)outputs[2].Content["text"]);
        Assert.Equal("stderr", (string?)outputs[3].Content["name"]);
        Assert.Equal("42", (string?)outputs[4].Content["data"]!["text/plain"]);
        Assert.All(outputs, output => Assert.Equal("execute_request", (string?)output.Parent["msg_type"]));
    }

    [Fact]
    public void ShowsAndReplacesByIdAndBringsPlotlyOnce()
    {
        var (_, outputs) = Execute("var handle = \"first\".Show(); handle.Update(\"second\");");
        Assert.Equal(["display_data", "update_display_data"], outputs.Select(output => output.Type).Where(type => type.EndsWith("display_data", StringComparison.Ordinal)));
        Assert.Single(outputs.Where(output => output.Content["transient"] is not null).Select(output => (string?)output.Content["transient"]!["display_id"]).Distinct());

        var chart = "new LossChart([new TrainingStep(1, 2, 3, 4, 5, 6, 7, TimeSpan.Zero)])";
        Assert.Equal(1, Libraries(Execute(chart).Outputs));
        Assert.Equal(0, Libraries(Execute(chart).Outputs));

        static int Libraries(IEnumerable<KernelMessage> outputs) => outputs.Count(output => (string?)output.Content["data"]?["text/plain"] == "plotly.js");
    }

    [Fact]
    public void AnErrorNamesTheLineAndAbortsWhatWaits()
    {
        var first = Send(_shell, "execute_request", Code("int a = 1;\nthrow new InvalidOperationException(\"no\");"));
        var second = Send(_shell, "execute_request", Code("a = 2;"));
        var failed = Wait(_shell, first).Content;
        Assert.Equal("error", (string?)failed["status"]);
        Assert.Contains("Cell", string.Concat(failed["traceback"]!.AsArray().Select(line => (string?)line)));
        Assert.Contains("line 2", (string?)failed["traceback"]![0]);
        Assert.Equal("aborted", (string?)Wait(_shell, second).Content["status"]);
        Assert.Equal("1", (string?)Execute("a").Outputs.Single(output => output.Type == "execute_result").Content["data"]!["text/plain"]);
    }

    [Fact]
    public void IsInterruptedAndKeepsItsVariables()
    {
        var request = Send(_shell, "execute_request", Code("var kept = 7; Console.Write(\"in\"); while (true) { Interrupted.ThrowIfCancellationRequested(); Thread.Sleep(5); }"));
        while (Receive(_output).Type != "stream")
        {
        }

        Assert.Equal("ok", (string?)Request(_control, "interrupt_request", []).Reply["status"]);
        Assert.Equal("error", (string?)Wait(_shell, request).Content["status"]);
        Assert.Equal("1", (string?)Execute("1").Outputs.Single(output => output.Type == "execute_result").Content["data"]!["text/plain"]);
    }

    [Fact]
    public void CommsCarryMessagesBothWays()
    {
        Execute("Comms.Register(\"echo\", (comm, data) => comm.Received += message => comm.Send(new System.Text.Json.Nodes.JsonObject { [\"back\"] = message[\"value\"]!.DeepClone() }));");
        Send(_shell, "comm_open", new() { ["comm_id"] = "c1", ["target_name"] = "echo", ["data"] = new JsonObject() });
        Send(_shell, "comm_msg", new() { ["comm_id"] = "c1", ["data"] = new JsonObject { ["value"] = 5 } });
        var answer = ReceiveUntil("comm_msg");
        Assert.Equal("c1", (string?)answer.Content["comm_id"]);
        Assert.Equal(5, (int?)answer.Content["data"]!["back"]);
        Assert.Equal("echo", (string?)Request(_shell, "comm_info_request", new() { ["target_name"] = "echo" }).Reply["comms"]!["c1"]!["target_name"]);
        Send(_shell, "comm_open", new() { ["comm_id"] = "c2", ["target_name"] = "nobody", ["data"] = new JsonObject() });
        Assert.Equal("c2", (string?)ReceiveUntil("comm_close").Content["comm_id"]);
        var (_, outputs) = Execute("var opened = Comms.Connect(\"front\"); opened.Send(new()); opened.Close();");
        Assert.Equal(["comm_open", "comm_msg", "comm_close"], outputs.Select(output => output.Type).Where(type => type.StartsWith("comm_", StringComparison.Ordinal)));
    }

    [Fact]
    public void InspectionHasTwoLevelsAndCompletionHasDocumentation()
    {
        Execute("var text = \"abc\";");
        var code = "text.Substring";
        var brief = Inspect(0);
        var full = Inspect(1);
        Assert.Contains("string string.Substring", brief);
        Assert.Contains("Retrieves a substring", brief);
        Assert.DoesNotContain("Parameters", brief);
        Assert.Contains("Parameters\n  startIndex:", full);
        var variable = (string?)Request(_shell, "inspect_request", new() { ["code"] = "text", ["cursor_pos"] = 2, ["detail_level"] = 1 }).Reply["data"]!["text/plain"];
        Assert.Contains("value: abc", variable);
        var proposals = Request(_shell, "complete_request", new() { ["code"] = "text.Subs", ["cursor_pos"] = 9 }).Reply["metadata"]!["_jupyter_types_experimental"]!.AsArray();
        Assert.Contains("substring", (string?)Assert.Single(proposals)!["documentation"]);
        var magics = Request(_shell, "complete_request", new() { ["code"] = "#!wh", ["cursor_pos"] = 4 }).Reply["matches"]!.AsArray();
        Assert.Equal(["#!who", "#!whos"], magics.Select(name => (string?)name));

        string Inspect(int level) => (string)Request(_shell, "inspect_request", new() { ["code"] = code, ["cursor_pos"] = code.Length, ["detail_level"] = level }).Reply["data"]!["text/plain"]!;
    }

    [Fact]
    public void OutputsAreClearedOnRequest()
    {
        var (_, outputs) = Execute("Console.Write(1); Output.Clear(wait: true); Console.Write(2);");
        Assert.Equal(["stream", "clear_output", "stream"], outputs.Select(output => output.Type).Where(type => type is "stream" or "clear_output"));
        Assert.True((bool?)outputs.Single(output => output.Type == "clear_output").Content["wait"]);
    }

    [Fact]
    public void LargeOutputsAndManyCellsAreCarried()
    {
        var (reply, outputs) = Execute("Console.Write(new string('x', 50_000_000));");
        Assert.Equal("ok", (string?)reply["status"]);
        Assert.Equal(50_000_000, outputs.Where(output => output.Type == "stream").Sum(output => ((string)output.Content["text"]!).Length));
        Execute("var n = 0L;");
        for (var cell = 0; cell < 100; cell++)
        {
            Execute("n++;");
        }

        Assert.Equal("100", (string?)Execute("n").Outputs.Single(output => output.Type == "execute_result").Content["data"]!["text/plain"]);
    }

    [Fact]
    public void MalformedFramesAreDroppedAndTheKernelGoesOn()
    {
        var random = new Random(7);
        for (var round = 0; round < 200; round++)
        {
            var frames = Enumerable.Range(0, random.Next(1, 8)).Select(_ =>
            {
                var bytes = new byte[random.Next(0, 40)];
                random.NextBytes(bytes);
                return random.Next(4) == 0 ? "<IDS|MSG>"u8.ToArray() : bytes;
            });
            var message = new NetMQMessage(frames.Select(bytes => new NetMQFrame(bytes)));
            (round % 2 == 0 ? _shell : _control).SendMultipartMessage(message);
        }

        Assert.Equal("2", (string?)Execute("1 + 1").Outputs.Single(output => output.Type == "execute_result").Content["data"]!["text/plain"]);
    }

    /// <summary>
    /// One session over every message type, compared with the approved one in <c>fixtures/wire/session.json</c>. Where a change is meant,
    /// delete the file, run the test and read the difference before it is committed.
    /// </summary>
    [Fact]
    public void TheWireIsAsApproved()
    {
        var wire = new JsonArray();
        Record("kernel_info_request", []);
        Record("is_complete_request", new() { ["code"] = "if (true) {" });
        Record("execute_request", Code("var x = 1; Console.Write(\"out\"); Console.Error.Write(\"err\"); x + 1"));
        Record("execute_request", Code("var handle = \"a\".Display(); handle.Update(\"b\"); Output.Clear();"));
        Record("execute_request", Code("throw new InvalidOperationException(\"no\");"));
        Record("execute_request", Code("int y = \"text\";"));
        Record("execute_request", new() { ["code"] = "x", ["silent"] = true });
        Record("complete_request", new() { ["code"] = "Math.Sqr", ["cursor_pos"] = 8 });
        Record("inspect_request", new() { ["code"] = "Math.Sqrt", ["cursor_pos"] = 9, ["detail_level"] = 0 });
        Record("history_request", new() { ["hist_access_type"] = "tail", ["n"] = 2 });
        Record("comm_open", new() { ["comm_id"] = "c", ["target_name"] = "nobody", ["data"] = new JsonObject() }, hasReply: false);
        Record("comm_info_request", []);
        Record("interrupt_request", [], _control);
        Record("shutdown_request", new() { ["restart"] = false }, _control);

        var text = wire.ToJsonString(new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }) + "\n";
        text = System.Text.RegularExpressions.Regex.Replace(text, "toolkit-\\d+", "toolkit-N").Replace(Environment.Version.ToString(), "RUNTIME", StringComparison.Ordinal);
        var approved = Path.Combine(Fixtures(), "wire", "session.json");
        if (!File.Exists(approved))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(approved)!);
            File.WriteAllText(approved, text);
            Assert.Fail($"there was no approved session; this one was written to {approved}: read it");
        }

        Assert.Equal(File.ReadAllText(approved), text);

        void Record(string type, JsonObject content, DealerSocket? socket = null, bool hasReply = true)
        {
            var sent = Send(socket ?? _shell, type, content.DeepClone().AsObject());
            var messages = new JsonArray();
            if (hasReply)
            {
                var reply = Wait(socket ?? _shell, sent);
                messages.Add((JsonNode)new JsonObject { ["type"] = reply.Type, ["content"] = reply.Content.DeepClone() });
            }

            // An interruption is answered at once, beside what the running cell publishes.
            foreach (var output in type == "interrupt_request" ? [] : Collect(sent))
            {
                messages.Add((JsonNode)new JsonObject { ["type"] = output.Type, ["content"] = output.Content.DeepClone() });
            }

            wire.Add((JsonNode)new JsonObject { ["request"] = type, ["content"] = content, ["answers"] = messages });
        }
    }

    [Fact]
    public void AsksForInput()
    {
        var request = Send(_shell, "execute_request", Code("Console.ReadLine() + \"!\"", allowInput: true));
        var question = Receive(_input);
        Assert.Equal("input_request", question.Type);
        Send(_input, "input_reply", new() { ["value"] = "hello" });
        Assert.Equal("ok", (string?)Wait(_shell, request).Content["status"]);
        Assert.Equal("hello!", (string?)Collect(request).Single(output => output.Type == "execute_result").Content["data"]!["text/plain"]);
        Assert.Equal("error", (string?)Execute("Console.ReadLine()").Reply["status"]);
    }

    [Fact]
    public void CompletesInspectsAndRemembers()
    {
        Execute("var number = 12;");
        var completed = Request(_shell, "complete_request", new() { ["code"] = "\"🦙\" + num", ["cursor_pos"] = 9 }).Reply;
        Assert.Contains("number", completed["matches"]!.AsArray().Select(match => (string?)match));
        Assert.Equal(6, (int?)completed["cursor_start"]);
        Assert.Equal(9, (int?)completed["cursor_end"]);
        var members = Request(_shell, "complete_request", new() { ["code"] = "number.CompareT", ["cursor_pos"] = 15 }).Reply;
        Assert.Equal(["CompareTo"], members["matches"]!.AsArray().Select(match => (string?)match));
        Assert.Equal("method", (string?)members["metadata"]!["_jupyter_types_experimental"]![0]!["type"]);
        Assert.Contains("int", (string?)Request(_shell, "inspect_request", new() { ["code"] = "number", ["cursor_pos"] = 3 }).Reply["data"]!["text/plain"]);
        Assert.Equal("incomplete", (string?)Request(_shell, "is_complete_request", new() { ["code"] = "if (true) {" }).Reply["status"]);
        Assert.Equal("complete", (string?)Request(_shell, "is_complete_request", new() { ["code"] = "1 + 1" }).Reply["status"]);
        var history = Request(_shell, "history_request", new() { ["hist_access_type"] = "tail", ["n"] = 1 }).Reply["history"]!.AsArray();
        Assert.Equal("var number = 12;", (string?)history.Single()![2]);
    }

    [Fact]
    public void DropsWhatIsWronglySigned()
    {
        var forged = new MessageCodec("another key").Encode(KernelMessage.Create("execute_request", Code("1"), null, "s", DateTimeOffset.UnixEpoch, []));
        _shell.SendMultipartBytes(forged);
        _shell.SendMultipartBytes([[1, 2, 3], []]);
        _shell.SendMultipartBytes(_codec.Encode(KernelMessage.Create("unheard_of_request", [], null, "s", DateTimeOffset.UnixEpoch, [])));
        Assert.Equal(1, (int?)Execute("1").Reply["execution_count"]);
    }

    [Fact]
    public async Task ShutsDown()
    {
        var reply = Request(_control, "shutdown_request", new() { ["restart"] = true }).Reply;
        Assert.True((bool?)reply["restart"]);
        await _running.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
    }

    [Fact]
    public void IsInstalledListedAndRemoved()
    {
        var folder = KernelSpec.Install("csharp-test", _folder.FullName);
        var json = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "kernel.json")))!;
        Assert.Equal(["kernel", "start", "{connection_file}"], json["argv"]!.AsArray().Select(part => (string)part!).TakeLast(3));
        Assert.True(File.Exists((string)json["argv"]![0]!));
        Assert.Equal([folder], KernelSpec.List(_folder.FullName));
        Directory.CreateDirectory(Path.Combine(_folder.FullName, "share", "jupyter", "kernels", "python3"));
        Assert.Contains("no kernel 'python3' of Toolkit", Assert.Throws<ArgumentException>(() => KernelSpec.Uninstall("python3", _folder.FullName)).Message);
        KernelSpec.Uninstall("csharp-test", _folder.FullName);
        Assert.False(Directory.Exists(folder));
        Assert.Throws<ArgumentException>(() => KernelSpec.Install("../escape", _folder.FullName));
    }

    private static JsonObject Code(string code, bool allowInput = false) => new() { ["code"] = code, ["silent"] = false, ["store_history"] = true, ["allow_stdin"] = allowInput, ["stop_on_error"] = true };

    private static int[] FreePorts(int count)
    {
        var listeners = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToArray();
        Array.ForEach(listeners, listener => listener.Start());
        var ports = listeners.Select(listener => ((IPEndPoint)listener.LocalEndpoint).Port).ToArray();
        Array.ForEach(listeners, listener => listener.Stop());
        return ports;
    }

    private static string Fixtures([System.Runtime.CompilerServices.CallerFilePath] string path = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(path)!, "..", "fixtures"));

    private (JsonObject Reply, List<KernelMessage> Outputs) Execute(string code) => Request(_shell, "execute_request", Code(code));

    private (JsonObject Reply, List<KernelMessage> Outputs) Request(DealerSocket socket, string type, JsonObject content)
    {
        var id = Send(socket, type, content);
        var reply = Wait(socket, id).Content;
        return (reply, Collect(id));
    }

    private string Send(NetMQSocket socket, string type, JsonObject content)
    {
        var message = KernelMessage.Create(type, content, null, "front-end", DateTimeOffset.UnixEpoch, []);
        socket.SendMultipartBytes(_codec.Encode(message));
        return (string)message.Header["msg_id"]!;
    }

    private KernelMessage Wait(NetMQSocket socket, string id)
    {
        while (true)
        {
            if (Receive(socket) is var message && (string?)message.Parent["msg_id"] == id)
            {
                return message;
            }
        }
    }

    private KernelMessage ReceiveUntil(string type)
    {
        while (true)
        {
            if (Receive(_output) is var message && message.Type == type)
            {
                return message;
            }
        }
    }

    private KernelMessage Receive(NetMQSocket socket)
    {
        var frames = new List<byte[]>();
        Assert.True(socket.TryReceiveMultipartBytes(TimeSpan.FromSeconds(60), ref frames!), "the kernel is silent");
        return _codec.Decode(frames);
    }

    /// <summary>What was published for a request, until it is idle; nothing where the subscription is not there yet.</summary>
    private List<KernelMessage> Collect(string id)
    {
        var outputs = new List<KernelMessage>();
        var frames = new List<byte[]>();
        while (_output.TryReceiveMultipartBytes(TimeSpan.FromSeconds(outputs.Count > 0 ? 30 : 1), ref frames!))
        {
            var message = _codec.Decode(frames);
            if ((string?)message.Parent["msg_id"] != id)
            {
                continue;
            }

            outputs.Add(message);
            if ((string?)message.Content["execution_state"] == "idle")
            {
                break;
            }
        }

        return outputs;
    }
}
