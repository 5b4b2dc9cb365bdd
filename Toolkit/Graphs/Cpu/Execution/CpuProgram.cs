using System.Diagnostics;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Cpu;

/// <summary>A plan with its machine code and memory: what runs a graph for inputs that lie in one certain way. Not for several threads at once.</summary>
internal sealed unsafe partial class CpuProgram : IDisposable
{
    private readonly Plan _plan;
    private readonly KernelAssembly _kernels;
    private readonly NativeBlock _memory = new();
    private readonly int _threads;
    private readonly nint[] _addresses; // of each buffer
    private readonly nint[][] _places; // where kernels look for each buffer that moves
    private readonly SegmentRun[] _runs;
    private readonly Dictionary<Layout, TensorView> _views = new(ReferenceEqualityComparer.Instance);
    private readonly long[] _counts;
    private readonly KernelBuffer[] _given;
    private readonly int[] _numbers; // of the kernels, in the file
    private readonly List<(int Slot, Tensor Tensor)> _kept = []; // of this run, by TorchSharp
    private readonly List<(int Slot, nint Tensor)> _made = []; // likewise, by libtorch

    /// <summary>Compiles a plan.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="constants">What belongs to the graph.</param>
    /// <param name="writer">The file in which its kernels are.</param>
    /// <param name="kernels">That file, compiled.</param>
    /// <param name="origin">Where the machine code came from.</param>
    /// <param name="threads">Threads; 0 for as many as libtorch uses.</param>
    public CpuProgram(Plan plan, IReadOnlyList<Tensor> constants, KernelWriter writer, KernelAssembly kernels, KernelOrigin origin, int threads)
    {
        _plan = plan;
        _threads = threads > 0 ? threads : LibTorchCalls.Threads();
        (_kernels, Origin) = (kernels, origin);
        var used = plan.Kernels.GroupBy(step => step.Kernel).ToArray();
        _numbers = [.. used.Select(group => group.Key)];
        Kernels = [.. used.Select(group => writer.Describe(group.Key, [.. group]))];
        var pointers = _numbers.ToDictionary(number => number, number => kernels.Pointer(writer.Name(number)));
        _given = [.. plan.Buffers.Where(buffer => buffer.Kind is BufferKind.Input or BufferKind.Output)];
        _addresses = new nint[plan.Buffers.Length];
        var arena = _memory.Allocate(plan.ArenaBytes);
        foreach (var buffer in plan.Buffers)
        {
            _addresses[buffer.Slot] = buffer.Kind switch
            {
                BufferKind.Arena => arena + (nint)buffer.ArenaOffset,
                BufferKind.Status => _memory.Allocate(buffer.Bytes),
                BufferKind.Constant => LibTorchCalls.Address(constants[buffer.Index].Handle),
                _ => 0,
            };
        }

        var places = plan.Buffers.Select(_ => new List<nint>()).ToArray();
        var scratch = plan.Kernels.Select(step => step.Code.ScratchBytes).DefaultIfEmpty(0).Max();
        scratch = (scratch + 255) / 256 * 256;
        var shared = _memory.Allocate(scratch * _threads);
        _runs = [.. plan.Segments.Select(segment => Build(segment, pointers, places, shared, scratch))];
        _places = [.. places.Select(list => list.ToArray())];
        _counts = new long[plan.Segments.Count];
    }

    /// <summary>Where the machine code came from.</summary>
    public KernelOrigin Origin { get; }

    /// <summary>The machine code.</summary>
    public KernelAssembly Assembly => _kernels;

    /// <summary>The kernels.</summary>
    public IReadOnlyList<CpuKernelInfo> Kernels { get; }

    /// <summary>What ran through TorchSharp.</summary>
    public IEnumerable<FallbackCall> Fallbacks => _plan.Segments.Select((segment, i) => (segment.Call, Count: _counts[i])).Where(entry => entry.Call is FallbackStep).Select(entry => new FallbackCall(entry.Call!.Nodes[0], entry.Count));

    /// <summary>The plan.</summary>
    public Plan Plan => _plan;

    /// <summary>Watches whether the machine code is still loaded.</summary>
    public WeakReference WatchCode() => _kernels.Watch();

    /// <summary>Runs it. <see cref="Release"/> has to follow.</summary>
    /// <param name="inputs">The tensors, laid out as planned.</param>
    /// <param name="outputs">Addresses of the memory for the outputs.</param>
    /// <param name="times">Where to add the time of each kernel; null for no measurement.</param>
    public void Run(ReadOnlySpan<nint> inputs, ReadOnlySpan<nint> outputs, Dictionary<int, long>? times)
    {
        foreach (var buffer in _given)
        {
            Place(buffer, buffer.Kind == BufferKind.Input ? inputs[buffer.Index] : outputs[buffer.Index]);
        }

        for (var i = 0; i < _runs.Length; i++)
        {
            _counts[i]++;
            if (_plan.Segments[i].Call is { } call)
            {
                Call(call);
            }
            else if (times is not null)
            {
                Measure(i, times);
            }
            else if (_runs[i].IsParallel)
            {
                Region.Run((RegionData*)_runs[i].Region, _threads);
            }
            else
            {
                Region.RunHere((RegionData*)_runs[i].Region);
            }
        }

        GC.KeepAlive(_kernels);
        for (var i = 0; i < _plan.Checks.Count; i++)
        {
            var cell = (long*)_addresses[_plan.Checks[i].Cell.Slot];
            if (cell[0] != 0)
            {
                cell[0] = 0;
                throw new GraphException(string.Format(System.Globalization.CultureInfo.InvariantCulture, _plan.Checks[i].Message, cell[1]));
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var view in _views.Values)
        {
            view.Dispose();
        }

        _views.Clear();
        _memory.Dispose();
    }

    private void Place(KernelBuffer buffer, nint address)
    {
        if (_addresses[buffer.Slot] != address)
        {
            _addresses[buffer.Slot] = address;
            foreach (var place in _places[buffer.Slot])
            {
                *(nint*)place = address;
            }
        }
    }

    private SegmentRun Build(Segment segment, Dictionary<int, nint> pointers, List<nint>[] places, nint scratch, long scratchBytes)
    {
        if (segment.Call is not null)
        {
            return default;
        }

        var region = (RegionData*)_memory.Allocate(sizeof(RegionData));
        var total = 0.0;
        *region = new()
        {
            Phases = (PhaseData*)_memory.Allocate(segment.Phases.Count * sizeof(PhaseData)),
            Counters = (Counter*)_memory.Allocate(segment.Phases.Count * sizeof(Counter)),
            PhaseCount = segment.Phases.Count,
            Scratch = (byte*)scratch,
            ScratchBytes = scratchBytes,
        };
        for (var p = 0; p < segment.Phases.Count; p++)
        {
            var phase = segment.Phases[p];
            var steps = (StepData*)_memory.Allocate(phase.Count * sizeof(StepData));
            region->Phases[p] = new() { Steps = steps, StepCount = phase.Count };
            for (var s = 0; s < phase.Count; s++)
            {
                var code = phase[s].Code;
                var arguments = (nint*)_memory.Allocate((code.Arguments.Count + 1) * sizeof(nint));
                if (code.Numbers is { } numbers)
                {
                    var sizes = _memory.Allocate(numbers.Length * sizeof(long));
                    numbers.CopyTo(new Span<long>((void*)sizes, numbers.Length));
                    arguments[code.Arguments.Count] = sizes;
                }

                for (var i = 0; i < code.Arguments.Count; i++)
                {
                    arguments[i] = _addresses[code.Arguments[i].Slot];
                    places[code.Arguments[i].Slot].Add((nint)(arguments + i));
                }

                // A piece is some microseconds of work, and there are a few for each thread, so that one that is late does not keep the others.
                var most = Math.Min(code.Units, Math.Max(_threads, Math.Min(8L * _threads, code.Units / code.UnitsOfCall)));
                var pieces = Math.Clamp((long)(code.Nanoseconds / 3000), 1, most);
                if (code.UnitsOfCall > 1)
                {
                    pieces -= pieces > _threads ? pieces % _threads : 0; // as large as these are, each thread should have as many
                }

                steps[s] = new() { Kernel = (delegate* managed<long, long, byte**, byte*, void>)pointers[phase[s].Kernel], Arguments = (byte**)arguments, Units = code.Units, Pieces = pieces, IsTapered = code.UnitsOfCall == 1 && pieces >= 4 * _threads };
                region->Phases[p].Pieces += pieces;
                total += code.Nanoseconds;
            }
        }

        return new() { Region = (nint)region, IsParallel = _threads > 1 && total > 30_000 };
    }

    /// <summary>Every kernel by itself, with the time that it takes.</summary>
    private void Measure(int segment, Dictionary<int, long> times)
    {
        var region = (RegionData*)_runs[segment].Region;
        for (var p = 0; p < region->PhaseCount; p++)
        {
            for (var s = 0; s < region->Phases[p].StepCount; s++)
            {
                var counter = default(Counter);
                var phase = new PhaseData { Steps = region->Phases[p].Steps + s, StepCount = 1, Pieces = region->Phases[p].Steps[s].Pieces };
                var single = new RegionData { Phases = &phase, Counters = &counter, PhaseCount = 1, Scratch = region->Scratch, ScratchBytes = region->ScratchBytes };
                var begin = Stopwatch.GetTimestamp();
                if (_runs[segment].IsParallel)
                {
                    Region.Run(&single, _threads);
                }
                else
                {
                    Region.RunHere(&single);
                }

                var kernel = Array.IndexOf(_numbers, _plan.Segments[segment].Phases[p][s].Kernel);
                times[kernel] = times.GetValueOrDefault(kernel) + Stopwatch.GetTimestamp() - begin;
            }
        }
    }

    private struct SegmentRun
    {
        public nint Region;
        public bool IsParallel;
    }
}
