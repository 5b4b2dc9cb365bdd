using NetMQ;
using NetMQ.Sockets;

namespace Toolkit.Notebook.Jupyter;

/// <summary>The five sockets of a kernel, on one thread of their own: messages come in as events and go out in the order in which they were sent.</summary>
internal sealed class KernelSockets : IDisposable
{
    private readonly MessageCodec _codec;
    private readonly RouterSocket _shell = new();
    private readonly RouterSocket _control = new();
    private readonly RouterSocket _input = new();
    private readonly XPublisherSocket _output = new();
    private readonly RouterSocket _heartbeat = new();
    private readonly NetMQQueue<(NetMQSocket Socket, KernelMessage Message)> _outgoing = new();
    private readonly NetMQPoller _poller;

    /// <summary>Binds to the addresses of the connection file.</summary>
    public KernelSockets(ConnectionFile connection)
    {
        _codec = new MessageCodec(connection.Key);
        foreach (var (socket, port) in new (NetMQSocket, int)[]
                 {
                     (_shell, connection.Shell), (_control, connection.Control), (_input, connection.Input), (_output, connection.Output), (_heartbeat, connection.Heartbeat),
                 })
        {
            // Outputs of a long cell must not be dropped because a front end is slow.
            socket.Options.SendHighWatermark = 0;
            socket.Options.Linger = TimeSpan.FromSeconds(1);
            socket.Bind(connection.Endpoint(port));
        }

        _shell.ReceiveReady += (_, _) => Receive(_shell, message => ShellReceived?.Invoke(message));
        _control.ReceiveReady += (_, _) => Receive(_control, message => ControlReceived?.Invoke(message));
        _input.ReceiveReady += (_, _) => Receive(_input, message => InputReceived?.Invoke(message));
        _output.ReceiveReady += (_, _) => _output.SkipMultipartMessage();
        _heartbeat.ReceiveReady += (_, _) => _heartbeat.SendMultipartMessage(_heartbeat.ReceiveMultipartMessage());
        _outgoing.ReceiveReady += (_, _) => SendAll();
        _poller = new NetMQPoller { _shell, _control, _input, _output, _heartbeat, _outgoing };
    }

    /// <summary>A request that waits for those before it.</summary>
    public event Action<KernelMessage>? ShellReceived;

    /// <summary>A request that waits for nothing.</summary>
    public event Action<KernelMessage>? ControlReceived;

    /// <summary>An answer to a question for input.</summary>
    public event Action<KernelMessage>? InputReceived;

    /// <summary>What was received and is no message.</summary>
    public event Action<string>? Dropped;

    /// <summary>Begins to receive.</summary>
    public void Start() => _poller.RunAsync("jupyter");

    /// <summary>Answers on the shell or the control channel.</summary>
    public void Reply(KernelMessage message, bool control) => _outgoing.Enqueue((control ? _control : _shell, message));

    /// <summary>Publishes to every front end.</summary>
    public void Publish(KernelMessage message) => _outgoing.Enqueue((_output, message));

    /// <summary>Asks one front end for input.</summary>
    public void Ask(KernelMessage message) => _outgoing.Enqueue((_input, message));

    /// <summary>Sends what is left and closes the sockets.</summary>
    public void Dispose()
    {
        _poller.Stop();
        SendAll();
        _poller.Dispose();
        foreach (var socket in new NetMQSocket[] { _shell, _control, _input, _output, _heartbeat })
        {
            socket.Dispose();
        }

        _outgoing.Dispose();
    }

    private void SendAll()
    {
        while (_outgoing.TryDequeue(out var item, TimeSpan.Zero))
        {
            item.Socket.SendMultipartBytes(_codec.Encode(item.Message));
        }
    }

    private void Receive(NetMQSocket socket, Action<KernelMessage> handle)
    {
        var frames = socket.ReceiveMultipartBytes();
        try
        {
            handle(_codec.Decode(frames));
        }
        catch (InvalidDataException problem)
        {
            Dropped?.Invoke(problem.Message);
        }
    }
}
