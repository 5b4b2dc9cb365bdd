using static TorchSharp.torch;

namespace Toolkit.Graphs.Cpu;

/// <content>Programs: one for each way in which inputs lie.</content>
public sealed partial class CpuExecutable
{
    /// <summary>Compiles graphs, all their kernels in one file.</summary>
    internal static CpuExecutable[] Compile(IEnumerable<Graph> graphs, CpuOptions options)
    {
        var executables = graphs.Select(graph => new CpuExecutable(graph, options)).ToArray();
        if (executables.Length > 0)
        {
            var (writer, kernels, origin) = Write(executables.SelectMany(executable => executable._first.Kernels), executables[0]._width, options);
            foreach (var executable in executables)
            {
                executable.Link(new long[executable._sizes.Length][], executable._first, writer, kernels, origin);
            }
        }

        return executables;
    }

    /// <summary>Takes note of the kernels that graphs would have, so that those that are compiled serve their sizes too.</summary>
    internal static void Learn(Graph graph, CpuOptions options)
    {
        using var executable = new CpuExecutable(graph, options);
        options.Forms!.Learn(executable._first.Kernels);
    }

    /// <summary>Finds or makes the program for inputs that lie as these do.</summary>
    /// <returns>Copies of those that have to be copied; null for none.</returns>
    private Tensor?[]? Choose(ReadOnlySpan<Tensor> inputs)
    {
        foreach (var (strides, program) in _programs)
        {
            if (Fits(inputs, strides))
            {
                _current = program;
                return null;
            }
        }

        if (_programs.Count < MaximumLayouts)
        {
            var own = new long[inputs.Length][];
            for (var i = 0; i < own.Length; i++)
            {
                own[i] = LibTorchCalls.HasStrides(inputs[i].Handle, _sizes[i], _strides[i]) ? null! : inputs[i].stride();
            }

            Make(own);
            return null;
        }

        _current = _programs[0].Program;
        var copies = new Tensor?[inputs.Length];
        for (var i = 0; i < copies.Length; i++)
        {
            if (!LibTorchCalls.HasStrides(inputs[i].Handle, _sizes[i], _strides[i]))
            {
                copies[i] = inputs[i].contiguous().DetachFromDisposeScope();
                InputCopies++;
            }
        }

        return copies;
    }

    /// <summary>What the graph left in copies of its inputs goes to the inputs themselves.</summary>
    private void Return(ReadOnlySpan<Tensor> inputs, Tensor?[]? copies)
    {
        if (copies is null)
        {
            return;
        }

        foreach (var mutation in Graph.Mutations)
        {
            var place = Graph.Inputs.IndexOf(mutation.Target);
            if (copies[place] is { } copy)
            {
                using var mode = no_grad();
                inputs[place].copy_(copy);
            }
        }

        foreach (var copy in copies)
        {
            copy?.Dispose();
        }
    }

    private bool Fits(ReadOnlySpan<Tensor> inputs, long[]?[] strides)
    {
        for (var i = 0; i < inputs.Length; i++)
        {
            if (!LibTorchCalls.HasStrides(inputs[i].Handle, _sizes[i], strides[i] ?? _strides[i]))
            {
                return false;
            }
        }

        return true;
    }

    private static (KernelWriter Writer, KernelAssembly Assembly, KernelOrigin Origin) Write(IEnumerable<KernelStep> steps, int width, CpuOptions options)
    {
        options.Forms?.Apply([.. steps]);
        var writer = new KernelWriter();
        foreach (var step in steps)
        {
            writer.Add(step);
        }

        var kernels = KernelCache.Get(writer.Source(width, options.IsOptimized), width, options.CacheFolder, out var origin);
        return (writer, kernels, origin);
    }

    /// <summary>The program for inputs that lie so.</summary>
    private void Make(long[]?[] strides)
    {
        var plan = Planner.Make(_prepared, strides, _constants.Length, _width, _options.Forms is not null);
        var (writer, kernels, origin) = Write(plan.Kernels, _width, _options);
        Link(strides, plan, writer, kernels, origin);
    }

    private void Link(long[]?[] strides, Plan plan, KernelWriter writer, KernelAssembly kernels, KernelOrigin origin)
    {
        _current = new CpuProgram(plan, _constants, writer, kernels, origin, _options.Threads);
        _programs.Add((strides, _current));
    }
}
