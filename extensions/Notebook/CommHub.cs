using System.Collections.Concurrent;
using System.Text.Json.Nodes;

namespace Toolkit.Notebook;

/// <summary>A channel between a cell and code in the front end (Jupyter calls it a comm): JSON goes both ways.</summary>
public sealed class Comm
{
    private readonly CommHub _hub;

    internal Comm(CommHub hub, string id, string target) => (_hub, Id, Target) = (hub, id, target);

    /// <summary>The channel's id.</summary>
    public string Id { get; }

    /// <summary>What the channel is for: the name under which the other side is registered.</summary>
    public string Target { get; }

    /// <summary>A message came.</summary>
    public event Action<JsonObject>? Received;

    /// <summary>The front end closed the channel.</summary>
    public event Action<JsonObject>? Closed;

    /// <summary>Sends a message.</summary>
    public void Send(JsonObject data) => _hub.Send(new CommSent("msg", Id, null, data));

    /// <summary>Closes the channel.</summary>
    public void Close(JsonObject? data = null)
    {
        _hub.Forget(Id);
        _hub.Send(new CommSent("close", Id, null, data ?? []));
    }

    internal void Receive(JsonObject data) => Received?.Invoke(data);

    internal void End(JsonObject data) => Closed?.Invoke(data);
}

/// <summary>The comms of a session. Front ends without JavaScript (the headless runner, a terminal) never open one.</summary>
public sealed class CommHub
{
    private readonly ConcurrentDictionary<string, Action<Comm, JsonObject>> _targets = new();
    private readonly ConcurrentDictionary<string, Comm> _open = new();
    private readonly Action<SessionEvent> _raise;

    internal CommHub(Action<SessionEvent> raise) => _raise = raise;

    /// <summary>Open channels: id to target.</summary>
    public IReadOnlyDictionary<string, string> Open => _open.ToDictionary(comm => comm.Key, comm => comm.Value.Target);

    /// <summary>Answers front ends that open a channel for this target.</summary>
    /// <param name="target">The name.</param>
    /// <param name="opened">Gets the channel and the opening message.</param>
    public void Register(string target, Action<Comm, JsonObject> opened) => _targets[target] = opened;

    /// <summary>Opens a channel to code that the front end registered under this target.</summary>
    public Comm Connect(string target, JsonObject? data = null)
    {
        var comm = new Comm(this, Guid.NewGuid().ToString("N"), target);
        _open[comm.Id] = comm;
        Send(new CommSent("open", comm.Id, target, data ?? []));
        return comm;
    }

    /// <summary>The front end opened a channel; it is closed again where nobody registered its target.</summary>
    internal void OnOpen(string id, string target, JsonObject data)
    {
        if (!_targets.TryGetValue(target, out var opened))
        {
            Send(new CommSent("close", id, null, []));
            return;
        }

        var comm = new Comm(this, id, target);
        _open[id] = comm;
        opened(comm, data);
    }

    internal void OnMessage(string id, JsonObject data)
    {
        if (_open.TryGetValue(id, out var comm))
        {
            comm.Receive(data);
        }
    }

    internal void OnClose(string id, JsonObject data)
    {
        if (_open.TryRemove(id, out var comm))
        {
            comm.End(data);
        }
    }

    internal void Send(CommSent message) => _raise(message);

    internal void Forget(string id) => _open.TryRemove(id, out _);
}
