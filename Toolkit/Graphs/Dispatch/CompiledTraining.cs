using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Dispatch;

/// <summary>
/// A module's forward and backward pass as two compiled graphs that autograd sees as one function: what <see cref="Call(Tensor)"/> returns backpropagates to the module's parameters, and to
/// arguments that want gradients, as in eager code. Random operations draw from the same generator in the same order; buffers are updated.
/// </summary>
/// <remarks>
/// Graphs are recorded by running the module a few times at the first call with tensors of new shapes, another mode (train or eval) or other parameters that are frozen; a trial on the recorded run
/// must give eager's outputs and gradients. Where it cannot be recorded the module runs as it is, and <see cref="WhyEager"/> says why.
/// The dispatcher sees operators, not the program. What a program reads with <c>item&lt;T&gt;()</c>, from the clock or from tensors that are neither arguments nor registered in the module is taken to
/// be the same each time, unless the trial runs show otherwise.
/// An exception in a custom backward function of TorchSharp ends the process: where the compiled backward pass fails, its gradients are not numbers (NaN), and the next call throws.
/// </remarks>
public sealed class CompiledTraining : IDisposable
{
    /// <summary>How many variants (shapes, modes) are compiled; whatever comes after runs as it is.</summary>
    public const int MaxVariants = 8;

    private readonly nn.Module _module;
    private readonly Func<IReadOnlyList<Tensor>, IReadOnlyList<Tensor>> _forward;
    private readonly Func<Graph, IExecutable> _backEnd;
    private readonly bool _recompute;
    private readonly Dictionary<string, TrainingVariant?> _variants = new(StringComparer.Ordinal);

    /// <summary>For a module.</summary>
    /// <param name="module">The module; it stays the caller's.</param>
    /// <param name="backEnd">Makes graphs ready to run; default: libtorch's own kernels, one after the other.</param>
    /// <param name="recompute">Whether the backward pass computes cheap operations again instead of keeping what they gave.</param>
    public CompiledTraining(nn.Module<Tensor, Tensor> module, Func<Graph, IExecutable>? backEnd = null, bool recompute = false)
        : this(module, inputs => [module.call(inputs[0])], backEnd, recompute)
    {
    }

    /// <summary>For a module that is called in another way: with several tensors, or with a loss behind it.</summary>
    /// <param name="module">Whose parameters and buffers the program uses.</param>
    /// <param name="forward">The program, from arguments to outputs.</param>
    /// <param name="backEnd">Makes graphs ready to run; default: libtorch's own kernels, one after the other.</param>
    /// <param name="recompute">Whether the backward pass computes cheap operations again instead of keeping what they gave.</param>
    public CompiledTraining(nn.Module module, Func<IReadOnlyList<Tensor>, IReadOnlyList<Tensor>> forward, Func<Graph, IExecutable>? backEnd = null, bool recompute = false) =>
        (_module, _forward, _backEnd, _recompute) = (module, forward, backEnd ?? (graph => new DispatcherExecutor(graph)), recompute);

    /// <summary>Whether the last call ran compiled.</summary>
    public bool IsCompiled { get; private set; }

    /// <summary>Why the last call ran as it is; null where it ran compiled, and before the first.</summary>
    public string? WhyEager { get; private set; }

    /// <summary>Both passes of the last call that ran compiled; null before it.</summary>
    public JointGraph? Joint { get; private set; }

    /// <summary>The two graphs of the last call that ran compiled; null before it.</summary>
    public GraphPartition? Partition { get; private set; }

    /// <summary>How many variants there are.</summary>
    public int Variants => _variants.Count;

    /// <summary>Calls the module.</summary>
    /// <inheritdoc cref="Call(IReadOnlyList{Tensor})"/>
    public Tensor Call(Tensor x) => Call([x])[0];

    /// <summary>Calls the program.</summary>
    /// <exception cref="GraphException">The backward pass of an earlier call failed.</exception>
    public IReadOnlyList<Tensor> Call(IReadOnlyList<Tensor> arguments)
    {
        if (!is_grad_enabled())
        {
            return Eager(arguments, "no gradients are wanted");
        }

        var owned = Owned();
        var key = Key(arguments, owned);
        if (!_variants.TryGetValue(key, out var variant) && _variants.Count < MaxVariants)
        {
            _variants[key] = variant = Compile(arguments, owned);
        }
        else if (variant is null)
        {
            return Eager(arguments, _reasons.GetValueOrDefault(key) ?? $"{MaxVariants} variants are compiled already");
        }

        if (variant is null)
        {
            return Eager(arguments, _reasons[key]);
        }

        (IsCompiled, WhyEager, Joint, Partition) = (true, null, variant.Joint, variant.Partition);
        return variant.Call(arguments, owned);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var variant in _variants.Values)
        {
            variant?.Dispose();
        }

        _variants.Clear();
    }

    private readonly Dictionary<string, string> _reasons = new(StringComparer.Ordinal);

    private IReadOnlyList<Tensor> Eager(IReadOnlyList<Tensor> arguments, string reason)
    {
        (IsCompiled, WhyEager) = (false, reason);
        return _forward(arguments);
    }

    private TrainingVariant? Compile(IReadOnlyList<Tensor> arguments, List<(string Path, Tensor Tensor)> owned)
    {
        try
        {
            var dispatcher = DispatcherCapture.Required;
            using var recording = new JointRecorder(dispatcher, _forward, owned).Record(arguments);
            var variant = new TrainingVariant(recording, _backEnd, _recompute);
            if (variant.Difference(recording, owned) is { } difference)
            {
                variant.Dispose();
                throw new GraphException($"a trial of the compiled graphs differs from eager: {difference}");
            }

            return variant;
        }
        catch (Exception problem) when (problem is not OutOfMemoryException)
        {
            // Whatever the module itself throws, it throws again when it runs as it is.
            _reasons[Key(arguments, owned)] = problem.Message.Split('\n')[0];
            return null;
        }
    }

    private List<(string Path, Tensor Tensor)> Owned() =>
        [.. _module.named_parameters().Select(entry => (entry.name, (Tensor)entry.parameter)), .. _module.named_buffers().Select(entry => (entry.name, entry.buffer))];

    /// <summary>What a recording is good for.</summary>
    private string Key(IReadOnlyList<Tensor> arguments, List<(string Path, Tensor Tensor)> owned)
    {
        var modes = string.Concat(_module.modules().Prepend(_module).Select(module => module.training ? '1' : '0'));
        var frozen = string.Concat(owned.Select(entry => entry.Tensor.requires_grad ? '1' : '0'));
        return $"{string.Join(';', arguments.Select(argument => $"{TensorType.Of(argument)}{argument.requires_grad}"))};{modes};{frozen}";
    }
}
