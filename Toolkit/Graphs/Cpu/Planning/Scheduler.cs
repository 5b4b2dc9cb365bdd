namespace Toolkit.Graphs.Cpu;

/// <summary>Orders steps into as few phases as their needs allow, and lets memory be used again.</summary>
internal static class Scheduler
{
    private const long Alignment = 64;

    /// <summary>The plan of these steps.</summary>
    public static Plan Schedule(IReadOnlyList<Step> steps, IReadOnlyList<KernelBuffer> buffers, IReadOnlyList<string> copies, IReadOnlyList<(KernelBuffer Cell, string Message)> checks, KernelBuffer?[] handed)
    {
        var segments = new List<Segment>();
        var (waiting, users) = Dependencies(steps);
        var ready = new SortedSet<int>(Enumerable.Range(0, steps.Count).Where(i => waiting[i] == 0));
        while (ready.Count > 0)
        {
            var kernels = ready.Where(i => steps[i] is KernelStep).ToArray();
            var taken = kernels.Length > 0 ? kernels : [ready.Min];
            if (kernels.Length > 0)
            {
                if (segments.Count == 0 || segments[^1].Call is not null)
                {
                    segments.Add(new());
                }

                segments[^1].Phases.Add([.. kernels.Select(i => (KernelStep)steps[i])]);
            }
            else
            {
                segments.Add(new() { Call = steps[taken[0]] });
            }

            foreach (var i in taken)
            {
                ready.Remove(i);
                foreach (var user in users[i].Where(user => --waiting[user] == 0))
                {
                    ready.Add(user);
                }
            }
        }

        var arena = Allocate(segments);
        return new()
        {
            Segments = segments,
            Buffers = [.. buffers],
            ArenaBytes = arena,
            IntermediateBytes = buffers.Where(buffer => buffer.Kind == BufferKind.Arena).Sum(buffer => buffer.Bytes),
            Copies = copies,
            Checks = checks,
            Handed = handed,
        };
    }

    private static (int[] Waiting, List<int>[] Users) Dependencies(IReadOnlyList<Step> steps)
    {
        var waiting = new int[steps.Count];
        var users = Enumerable.Range(0, steps.Count).Select(_ => new List<int>()).ToArray();
        var writers = new Dictionary<KernelBuffer, List<int>>(ReferenceEqualityComparer.Instance);
        var readers = new Dictionary<KernelBuffer, List<int>>(ReferenceEqualityComparer.Instance);
        var lastDrawing = -1;
        for (var i = 0; i < steps.Count; i++)
        {
            var before = new HashSet<int>();
            if (steps[i].Nodes.Any(node => node.Operator.Kind == OperatorKind.Random))
            {
                // Random numbers are drawn in the program's order: one that is ready early waits for those before it.
                if (lastDrawing >= 0)
                {
                    before.Add(lastDrawing);
                }

                lastDrawing = i;
            }

            foreach (var buffer in steps[i].Reads)
            {
                before.UnionWith(writers.GetValueOrDefault(buffer) ?? []);
            }

            foreach (var buffer in steps[i].Writes)
            {
                // What writes parts of one buffer (a concatenation) does so in any order, but an input is overwritten only after it was read.
                before.UnionWith(readers.GetValueOrDefault(buffer) ?? []);
                Add(writers, buffer, i);
            }

            foreach (var buffer in steps[i].Reads)
            {
                Add(readers, buffer, i);
            }

            before.Remove(i);
            waiting[i] = before.Count;
            foreach (var j in before)
            {
                users[j].Add(i);
            }
        }

        return (waiting, users);
    }

    private static void Add(Dictionary<KernelBuffer, List<int>> table, KernelBuffer buffer, int step)
    {
        if (!table.TryGetValue(buffer, out var list))
        {
            table[buffer] = list = [];
        }

        list.Add(step);
    }

    /// <summary>Largest first, each at the lowest place where nothing lies that is alive at the same time (Pisarchyk and Lee, 2020: greedy by size).</summary>
    private static long Allocate(List<Segment> segments)
    {
        var lives = new Dictionary<KernelBuffer, (int First, int Last)>(ReferenceEqualityComparer.Instance);
        var time = 0;
        foreach (var segment in segments)
        {
            foreach (var phase in segment.Call is { } call ? [[call]] : segment.Phases.Select(phase => phase.Cast<Step>().ToList()))
            {
                foreach (var buffer in phase.SelectMany(step => step.Reads.Concat(step.Writes)).Where(buffer => buffer.Kind == BufferKind.Arena))
                {
                    lives[buffer] = lives.TryGetValue(buffer, out var life) ? (life.First, time) : (time, time);
                }

                time++;
            }
        }

        var placed = new List<KernelBuffer>();
        var peak = 0L;
        foreach (var buffer in lives.Keys.OrderByDescending(buffer => buffer.Bytes).ThenBy(buffer => buffer.Slot))
        {
            var (first, last) = lives[buffer];
            var start = 0L;
            foreach (var other in placed.Where(other => lives[other].First <= last && lives[other].Last >= first).OrderBy(other => other.ArenaOffset))
            {
                if (start + Padded(buffer) <= other.ArenaOffset)
                {
                    break;
                }

                start = Math.Max(start, other.ArenaOffset + Padded(other));
            }

            buffer.ArenaOffset = start;
            placed.Add(buffer);
            peak = Math.Max(peak, start + Padded(buffer));
        }

        return peak;
    }

    private static long Padded(KernelBuffer buffer) => (buffer.Bytes + Alignment - 1) / Alignment * Alignment;
}
