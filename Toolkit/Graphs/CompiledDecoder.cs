using Toolkit.Graphs.Cpu;
using Toolkit.Layers;
using Toolkit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>
/// A model whose decode step (one more token of each sequence) is compiled: position and state are data, so one graph serves every position of a span, and spans grow by four. It shares the model's
/// weights and sees their changes. A mixture of experts is called by the graph where it sends tokens to experts. What has no such graph (positions whose angles depend on the length) is decoded as the
/// model does it.
/// </summary>
/// <example>
/// <code>
/// using var compiled = model.CompileDecoding();
/// using var state = compiled.Rent(batch: 1, capacity: 200);
/// model.Forward(prompt, state.State, lastOnly: true);          // the prompt, as it is
/// var logits = compiled.Step(id, state.State);                 // (1, 1, V), compiled
/// </code>
/// </example>
public sealed class CompiledDecoder : IDisposable
{
    /// <summary>Positions that the graphs of the first span look at.</summary>
    public const int FirstSpan = 128;

    private const int Growth = 4;
    private readonly CompileOptions _options;
    private readonly Lock _lock = new();
    private readonly List<(DecodeState State, List<DecodeStep> Steps)> _all = [];
    private readonly Stack<DecodeState> _free = [];
    private readonly CallsUnderWay _calls;

    /// <summary>Prepares a model; graphs are captured at the first steps.</summary>
    /// <param name="model">The model; it stays the caller's.</param>
    /// <param name="options">How steps are compiled.</param>
    public CompiledDecoder(CausalModel model, CompileOptions? options = null)
    {
        (Model, _options, _calls) = (model, options ?? new(), new(Free));
        CpuBackend.WarmUpFor(DecodeStep.Kind, model, _options.Cpu ?? new());
    }

    /// <summary>The model.</summary>
    public CausalModel Model { get; }

    /// <summary>Steps that a graph served.</summary>
    public long CompiledSteps => All.Sum(entry => entry.Steps.Sum(step => step.Module.Explain().CompiledCalls));

    /// <summary>What became of each span's steps so far.</summary>
    public IReadOnlyList<CompileReport> Reports => [.. All.SelectMany(entry => entry.Steps).Select(step => step.Module.Explain())];

    /// <summary>The graph of a decode step that was captured last.</summary>
    /// <exception cref="InvalidOperationException">None was captured yet.</exception>
    public Graph Graph => Last.Graph;

    /// <summary>What runs it.</summary>
    /// <exception cref="InvalidOperationException">None was captured yet.</exception>
    public IExecutable Executable => Last.Executable;

    /// <summary>Its kernels.</summary>
    /// <exception cref="InvalidOperationException">None was captured yet.</exception>
    public IReadOnlyList<CpuKernelInfo> Kernels => Last.Kernels;

    private (DecodeState State, DecodeStep[] Steps)[] All
    {
        get
        {
            lock (_lock)
            {
                return [.. _all.Select(entry => (entry.State, entry.Steps.ToArray()))];
            }
        }
    }

    private ICompiledModule Last => All.SelectMany(entry => entry.Steps).LastOrDefault(step => step.Module.Explain().Graphs.Length > 0)?.Module
        ?? throw new InvalidOperationException("no decode step was compiled yet: generate a few tokens first (Reports tell why steps are not compiled)");

    /// <summary>An empty state for steps. Graphs belong to a state: one that comes back is lent again with its graphs.</summary>
    /// <param name="batch">Sequences side by side.</param>
    /// <param name="capacity">The most positions; there may be room for more.</param>
    public RentedState Rent(int batch, int capacity)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_calls.IsClosed, this);
            var kept = new Stack<DecodeState>();
            DecodeState? found = null;
            while (found is null && _free.TryPop(out var free))
            {
                if (free.Batch == batch && free.Capacity >= capacity && (free.Capacity <= Math.Max(FirstSpan, 4L * capacity) || Model is RecurrentModel))
                {
                    found = free;
                }
                else
                {
                    kept.Push(free);
                }
            }

            while (kept.TryPop(out var free))
            {
                _free.Push(free);
            }

            if (found is null)
            {
                found = New(batch, capacity);
                _all.Add((found, []));
            }

            found.Reset();
            return new RentedState(this, found);
        }
    }

    /// <summary>Logits of one more token of each sequence behind those in a state; no gradient is recorded.</summary>
    /// <param name="ids">(B, 1) of int64.</param>
    /// <param name="state">A state of this object's: see <see cref="Rent"/>.</param>
    /// <returns>(B, 1, V), in the current dispose scope.</returns>
    /// <exception cref="ArgumentException">The state is not of this object.</exception>
    /// <exception cref="InvalidOperationException">The state is full or for another batch.</exception>
    public Tensor Step(Tensor ids, DecodeState state)
    {
        ObjectDisposedException.ThrowIf(!_calls.TryBegin(), this);
        try
        {
            return Take(ids, state, StepsOf(state));
        }
        finally
        {
            _calls.End();
        }
    }

    private List<DecodeStep> StepsOf(DecodeState state)
    {
        lock (_lock)
        {
            return _all.Find(entry => ReferenceEquals(entry.State, state)).Steps ?? throw new ArgumentException("the state was not rented from this compiled decoder", nameof(state));
        }
    }

    private Tensor Take(Tensor ids, DecodeState state, List<DecodeStep> steps)
    {
        state.Require(ids.shape[0], ids.shape[1]);
        var span = Span(state);
        var step = steps.Find(step => step.Span == span);
        if (step?.IsEager == true || !Model.CanForwardAt(state.Length, span))
        {
            return Model.Forward(ids, state, lastOnly: true);
        }

        using var mode = no_grad();
        if (step is null)
        {
            // The first token makes what grows with the span (tables of angles), so that the second finds it as all others do.
            lock (_lock)
            {
                steps.Add(new DecodeStep(Model, state, span, _options));
            }

            using var here = NewDisposeScope();
            var first = Model.ForwardAt(ids, tensor(new long[] { state.Length }, device: ids.device), state, span);
            state.Advance(1);
            return first.MoveToOuterDisposeScope();
        }

        var logits = step.Run(ids, state.Length);
        state.Advance(1);
        return logits;
    }

    /// <summary>Frees graphs and states.</summary>
    public void Dispose() => _calls.Close();

    private void Free()
    {
        lock (_lock)
        {
            foreach (var (state, steps) in _all)
            {
                steps.ForEach(step => step.Dispose());
                state.Dispose();
            }

            _all.Clear();
            _free.Clear();
        }
    }

    /// <summary>One line: the model and what is compiled.</summary>
    public override string ToString() => $"{Model}, compiled decoding: {string.Join("; ", Reports.Select(report => report.ToString().Split('\n')[0]).DefaultIfEmpty("nothing yet"))}";

    internal void Return(DecodeState state)
    {
        lock (_lock)
        {
            if (!_calls.IsClosed)
            {
                _free.Push(state);
            }
        }
    }

    private DecodeState New(int batch, int capacity) => Model is RecurrentModel
        ? Model.NewState(batch, int.MaxValue) // its size does not depend on it
        : Model.NewState(batch, (int)Math.Min(Model.MaxPositions, (capacity + FirstSpan - 1L) / FirstSpan * FirstSpan));

    private int Span(DecodeState state)
    {
        if (Model is RecurrentModel)
        {
            return 0;
        }

        long span = FirstSpan;
        while (span <= state.Length)
        {
            span *= Growth;
        }

        return (int)Math.Min(span, state.Capacity);
    }
}

/// <summary>A state that goes back to the compiled decoder when it is disposed of.</summary>
public sealed class RentedState : IDisposable
{
    private CompiledDecoder? _owner;

    internal RentedState(CompiledDecoder owner, DecodeState state) => (_owner, State) = (owner, state);

    /// <summary>The state, empty when it was rented.</summary>
    public DecodeState State { get; }

    /// <inheritdoc/>
    public void Dispose() => Interlocked.Exchange(ref _owner, null)?.Return(State);
}
