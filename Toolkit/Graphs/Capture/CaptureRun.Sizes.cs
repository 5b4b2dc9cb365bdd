using Toolkit.Graphs.Dispatch;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <content>Dimensions that are marked dynamic.</content>
internal sealed partial class CaptureRun
{
    private object?[] _arguments = [];

    /// <summary>Whether the call is made only to see what it does.</summary>
    private bool _isProbe;

    /// <summary>Why calls with other sizes are captured anew; null where they are not.</summary>
    public string? WhyNoFamily { get; private set; }

    private bool FindsSizes => !_options.Dynamic.IsDefaultOrEmpty;

    /// <summary>Finds the calls with other sizes that a captured one stands for, and readies kernels for them.</summary>
    /// <param name="recipe">The call.</param>
    /// <param name="natives">Where gradients flow, the modules of native code that take part; else null.</param>
    private void FindSizes(CaptureRecipe recipe, IReadOnlyCollection<NativeParameters>? natives)
    {
        try
        {
            Family = SizeFamily.Of(recipe, _arguments, _options.Dynamic, Probe, out var whyNot);
            WhyNoFamily = whyNot;
            if (Family is not null && _options is { Backend: null, Mode: CompileMode.Kernels, Cpu: { Forms: not null } cpu })
            {
                Learn(recipe, natives, cpu);
            }
        }
        catch (Exception problem) when (problem is not (OperationCanceledException or OutOfMemoryException))
        {
            (Family, WhyNoFamily) = (null, problem.Message);
        }
    }

    /// <summary>Kernels are written for two sizes at once: then they serve all.</summary>
    private void Learn(CaptureRecipe recipe, IReadOnlyCollection<NativeParameters>? natives, Cpu.CpuOptions cpu)
    {
        using var scope = NewDisposeScope();
        var (graph, arguments) = Family!.Other(_arguments);
        if (natives is null)
        {
            CompiledGraph.Learn(graph, cpu);
            return;
        }

        using var state = new KeptState(recipe);
        using var training = new Autograd.TrainingGraph(graph, natives, made =>
        {
            CompiledGraph.Learn(made, cpu);
            return new GraphInterpreter(made);
        });
        training.Prepare([.. recipe.Inputs.Select(path => (Tensor)path.Read(arguments)!)]);
    }

    /// <summary>Calls the module to see what it does; tensors belong to the scope of who asks.</summary>
    private CaptureRecipe? Probe(object?[] arguments)
    {
        var run = new CaptureRun(_module, _method, _options with { FullGraph = true, Dynamic = [] }) { _isProbe = true };
        try
        {
            run.Call(arguments);
            return run.Recipe;
        }
        catch (Exception refusal) when (refusal is not (OperationCanceledException or OutOfMemoryException))
        {
            return null; // it cannot be called like that
        }
    }
}
