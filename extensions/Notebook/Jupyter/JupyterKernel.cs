using System.Text.Json.Nodes;
using System.Threading.Channels;
using Toolkit.Display;

namespace Toolkit.Notebook.Jupyter;

/// <summary>
/// A Jupyter kernel over one <see cref="ScriptSession"/>: requests become commands of the session, its events become messages. Requests of the
/// shell channel are answered one after the other, those of the control channel at once.
/// </summary>
internal sealed class JupyterKernel : IDisposable
{
    private readonly Channel<KernelMessage> _requests = Channel.CreateUnbounded<KernelMessage>();
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly string _id = Guid.NewGuid().ToString("N");
    private readonly List<(int Line, string Code)> _history = [];
    private readonly KernelSockets _sockets;
    private readonly ScriptSession _session = new();
    private readonly OutputStream _stream;
    private readonly TimeProvider _time;
    private readonly Channel<string> _answers = Channel.CreateUnbounded<string>();
    private volatile CancellationTokenSource? _running;
    private KernelMessage? _request;
    private bool _silent;
    private bool _hasPlotly;
    private int _count;
    private int _cell;

    /// <summary>Binds to the addresses of the connection file; nothing is answered before <see cref="Run"/>.</summary>
    public JupyterKernel(ConnectionFile connection, TimeProvider time)
    {
        _time = time;
        _sockets = new KernelSockets(connection);
        _stream = new OutputStream((name, text) => Publish("stream", new() { ["name"] = name, ["text"] = text }), time);
        _sockets.ShellReceived += message => _requests.Writer.TryWrite(message);
        _sockets.ControlReceived += HandleControl;
        _sockets.InputReceived += message => _answers.Writer.TryWrite((string?)message.Content["value"] ?? "");
        _session.ReadLine = AskForLine;
        _sockets.Dropped += problem => Console.Error.WriteLine($"a message was dropped: {problem}");
    }

    /// <summary>Answers requests until a front end asks the kernel to shut down.</summary>
    public async Task Run()
    {
        _sockets.Start();
        Publish("status", new() { ["execution_state"] = "starting" });
        var requests = Task.Run(async () =>
        {
            await foreach (var request in _requests.Reader.ReadAllAsync())
            {
                await Handle(request, control: false);
            }
        });
        await Task.WhenAny(_stopped.Task, requests);
    }

    /// <summary>Interrupts the running cell, if there is one.</summary>
    public void Interrupt() => _running?.Cancel();

    /// <inheritdoc/>
    public void Dispose()
    {
        _stream.Dispose();
        _session.Dispose();
        _sockets.Dispose();
    }

    private void HandleControl(KernelMessage request)
    {
        if (request.Type == "interrupt_request")
        {
            Interrupt();
            Reply(request, "interrupt_reply", new() { ["status"] = "ok" }, control: true);
            return;
        }

        // Answers need no running cell, but status messages must not mix with those of the cell that runs.
        _ = Task.Run(() => Handle(request, control: true));
    }

    private async Task Handle(KernelMessage request, bool control)
    {
        Status("busy", request);
        try
        {
            switch (request.Type)
            {
                case "execute_request":
                    await Execute(request);
                    break;
                case "kernel_info_request":
                    Reply(request, "kernel_info_reply", KernelReplies.Info(), control);
                    break;
                case "is_complete_request":
                    Reply(request, "is_complete_reply", KernelReplies.IsComplete((string?)request.Content["code"] ?? ""), control);
                    break;
                case "complete_request":
                    Reply(request, "complete_reply", KernelReplies.Completions(_session, request.Content), control);
                    break;
                case "inspect_request":
                    Reply(request, "inspect_reply", KernelReplies.Inspection(_session, request.Content), control);
                    break;
                case "history_request":
                    Reply(request, "history_reply", KernelReplies.History(_history, request.Content), control);
                    break;
                case "comm_info_request":
                    Reply(request, "comm_info_reply", KernelReplies.Comms(_session.Comms.Open, (string?)request.Content["target_name"]), control);
                    break;
                case "comm_open":
                    _request = request;
                    _session.Comms.OnOpen((string?)request.Content["comm_id"] ?? "", (string?)request.Content["target_name"] ?? "", request.Content["data"] as JsonObject ?? []);
                    break;
                case "comm_msg":
                    _request = request;
                    _session.Comms.OnMessage((string?)request.Content["comm_id"] ?? "", request.Content["data"] as JsonObject ?? []);
                    break;
                case "comm_close":
                    _request = request;
                    _session.Comms.OnClose((string?)request.Content["comm_id"] ?? "", request.Content["data"] as JsonObject ?? []);
                    break;
                case "shutdown_request":
                    Interrupt();
                    Reply(request, "shutdown_reply", new() { ["status"] = "ok", ["restart"] = request.Content["restart"]?.DeepClone() ?? false }, control);
                    Status("idle", request);
                    _stopped.TrySetResult();
                    return;
            }
        }
        catch (Exception problem) when (!request.Type.EndsWith("_request", StringComparison.Ordinal))
        {
            // Nobody waits for an answer: a handler of a comm failed.
            Happened(new TextWritten("stderr", $"{request.Type}: {problem}\n"));
        }
        catch (Exception problem)
        {
            Reply(request, request.Type.Replace("_request", "_reply", StringComparison.Ordinal), KernelReplies.Failure(problem.GetType().Name, problem.Message, []), control);
        }

        Status("idle", request);
    }

    private async Task Execute(KernelMessage request)
    {
        var code = (string?)request.Content["code"] ?? "";
        _silent = (bool?)request.Content["silent"] ?? false;
        if (!_silent && ((bool?)request.Content["store_history"] ?? true))
        {
            _count++;
            _history.Add((_count, code));
        }

        _request = request;
        if (!_silent)
        {
            Publish("execute_input", new() { ["code"] = code, ["execution_count"] = _count });
        }

        using var interrupt = new CancellationTokenSource();
        _running = interrupt;
        CellError? error;
        try
        {
            error = await _session.Run(new RunCell(code, ++_cell), Happened, cancellation: interrupt.Token);
        }
        finally
        {
            _running = null;
        }

        _stream.Flush();
        var reply = error is null
            ? new JsonObject { ["status"] = "ok", ["user_expressions"] = new JsonObject(), ["payload"] = new JsonArray() }
            : KernelReplies.Failure(error.Name, error.Message, error.Traceback);
        reply["execution_count"] = _count;
        Reply(request, "execute_reply", reply, control: false);
        if (error is not null && ((bool?)request.Content["stop_on_error"] ?? true))
        {
            AbortWaiting();
        }
    }

    /// <summary>Asks the front end of the running cell for a line.</summary>
    private string? AskForLine()
    {
        if (_request is not { } request || _running is not { } running || !((bool?)request.Content["allow_stdin"] ?? false))
        {
            throw new InvalidOperationException("This front end takes no input.");
        }

        _stream.Flush();
        while (_answers.Reader.TryRead(out _))
        {
            // An answer to a question whose cell is gone.
        }

        var question = new JsonObject { ["prompt"] = "", ["password"] = false };
        _sockets.Ask(KernelMessage.Create("input_request", question, request, _id, _time.GetUtcNow(), request.Identities));
        return _answers.Reader.ReadAsync(running.Token).AsTask().GetAwaiter().GetResult();
    }

    /// <summary>Cells that were sent behind one that failed are not run.</summary>
    private void AbortWaiting()
    {
        var others = new List<KernelMessage>();
        while (_requests.Reader.TryRead(out var waiting))
        {
            if (waiting.Type != "execute_request")
            {
                others.Add(waiting);
                continue;
            }

            Status("busy", waiting);
            Reply(waiting, "execute_reply", new() { ["status"] = "aborted", ["execution_count"] = _count }, control: false);
            Status("idle", waiting);
        }

        others.ForEach(other => _requests.Writer.TryWrite(other));
    }

    private void Happened(SessionEvent happened)
    {
        if (happened is TextWritten text)
        {
            if (!_silent)
            {
                _stream.Write(text.Stream, text.Text);
            }

            return;
        }

        _stream.Flush();
        switch (happened)
        {
            case CellFailed { Error: var error } when !_silent:
                var failure = KernelReplies.Failure(error.Name, error.Message, error.Traceback);
                failure.Remove("status");
                Publish("error", failure);
                break;
            case CommSent comm:
                var message = new JsonObject { ["comm_id"] = comm.Id, ["data"] = comm.Data.DeepClone() };
                if (comm.Target is { } target)
                {
                    message["target_name"] = target;
                }

                Publish($"comm_{comm.Kind}", message);
                break;
            case OutputsCleared cleared when !_silent:
                Publish("clear_output", new() { ["wait"] = cleared.Wait });
                break;
            case ResultProduced result when !_silent:
                BringPlotly(result.Bundle);
                Publish("execute_result", new() { ["execution_count"] = _count, ["data"] = CellOutputs.Data(result.Bundle, asLines: false), ["metadata"] = new JsonObject() });
                break;
            case ValueDisplayed display when !_silent:
                BringPlotly(display.Bundle);
                Publish(display.Update ? "update_display_data" : "display_data", new()
                {
                    ["data"] = CellOutputs.Data(display.Bundle, asLines: false),
                    ["metadata"] = new JsonObject(),
                    ["transient"] = new JsonObject { ["display_id"] = display.DisplayId },
                });
                break;
        }
    }

    private void BringPlotly(MimeBundle bundle)
    {
        if (bundle.NeedsPlotly && !_hasPlotly)
        {
            _hasPlotly = true;
            var library = MimeBundle.Of(CellOutputs.LibraryScript(PlotlyScript.Source), "plotly.js");
            Publish("display_data", new() { ["data"] = CellOutputs.Data(library, asLines: false), ["metadata"] = new JsonObject(), ["transient"] = new JsonObject() });
        }
    }

    private void Status(string state, KernelMessage request) => Publish("status", new() { ["execution_state"] = state }, request);

    private void Publish(string type, JsonObject content, KernelMessage? request = null) =>
        _sockets.Publish(KernelMessage.Create(type, content, request ?? _request, _id, _time.GetUtcNow(), [System.Text.Encoding.UTF8.GetBytes(type)]));

    private void Reply(KernelMessage request, string type, JsonObject content, bool control) =>
        _sockets.Reply(KernelMessage.Create(type, content, request, _id, _time.GetUtcNow(), request.Identities), control);
}
