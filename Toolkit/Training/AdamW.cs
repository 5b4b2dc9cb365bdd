using Toolkit.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Training;

/// <summary>
/// AdamW (Loshchilov and Hutter, 2019) through libtorch's fused operator, which TorchSharp does not have: a TorchScript function reaches it.
/// </summary>
internal sealed class AdamW : IDisposable
{
    private const string FirstMoment = ".exp_avg";
    private const string SecondMoment = ".exp_avg_sq";

    // libtorch may abort on script text that it does not know: this one is fixed, and AdamWTests run it.
    private const string Script =
        """
        def update(
                parameters: List[Tensor], gradients: List[Tensor], first: List[Tensor], second: List[Tensor], steps: List[Tensor],
                numbers: Tensor):
            torch._fused_adamw_(
                parameters, gradients, first, second, [], steps,
                lr=float(numbers[0]), beta1=float(numbers[1]), beta2=float(numbers[2]), weight_decay=float(numbers[3]), eps=float(numbers[4]),
                amsgrad=False, maximize=False)
            return numbers

        """;

    private static readonly Lazy<jit.CompilationUnit> Compiled = new(() =>
    {
        using var scope = NewDisposeScope();
        return jit.compile(Script);
    });

    private readonly string[] _names;
    private readonly FlatTensors _first;
    private readonly FlatTensors _second;
    private readonly Tensor _step;
    private readonly Tensor _numbers;
    private readonly Group[] _groups;
    private readonly TrainingOptions _options;

    /// <summary>An optimizer of these parameters at its first step.</summary>
    public AdamW(IReadOnlyList<(string Name, Tensor Parameter)> parameters, FlatTensors gradients, TrainingOptions options)
    {
        using var scope = NewDisposeScope();
        _options = options;
        _names = [.. parameters.Select(p => p.Name)];
        Tensor[] tensors = [.. parameters.Select(p => p.Parameter)];
        _first = new FlatTensors(tensors, ScalarType.Float32);
        _second = new FlatTensors(tensors, ScalarType.Float32);
        _step = zeros([], ScalarType.Float32, tensors[0].device).DetachFromDisposeScope();
        _numbers = zeros([5], ScalarType.Float64).DetachFromDisposeScope();
        _groups =
        [
            MakeGroup(i => tensors[i].dim() >= 2, options.WeightDecay),
            MakeGroup(i => tensors[i].dim() < 2, 0),
        ];

        Group MakeGroup(Func<int, bool> belongs, double weightDecay)
        {
            int[] members = [.. Enumerable.Range(0, tensors.Length).Where(belongs)];
            Tensor[] Of(Tensor[] all) => [.. members.Select(i => all[i])];
            return new Group(Of(tensors), Of(gradients.Views), Of(_first.Views), Of(_second.Views), [.. members.Select(_ => _step)], weightDecay);
        }
    }

    public long Bytes => _first.Bytes + _second.Bytes + (_step.numel() * _step.ElementSize);

    /// <summary>Changes the parameters by their gradients. Both moments are corrected for the number of the step, from 1.</summary>
    public void Step(int step, double learningRate)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        using var number = ((float)step).ToScalar();
        _step.fill_(number);
        foreach (var group in _groups.Where(group => group.Parameters.Length > 0))
        {
            Set(learningRate, _options.Beta1, _options.Beta2, group.WeightDecay, _options.Epsilon);
            Compiled.Value.invoke("update", group.Parameters, group.Gradients, group.First, group.Second, group.Steps, _numbers);
            GC.KeepAlive(group);
        }

        GC.KeepAlive(this);
    }

    /// <summary>Writes both moments of every parameter.</summary>
    public void Save(string path)
    {
        var tensors = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (var (i, name) in _names.Index())
        {
            tensors.Add(name + FirstMoment, _first.Views[i]);
            tensors.Add(name + SecondMoment, _second.Views[i]);
        }

        SafeTensorsFile.Save(path, tensors);
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    /// <exception cref="CheckpointException">A moment is missing or of another shape.</exception>
    public void Load(string path)
    {
        using var file = SafeTensorsFile.Open(path);
        using var noGradient = no_grad();
        foreach (var (i, name) in _names.Index())
        {
            Read(file, path, name + FirstMoment, _first.Views[i]);
            Read(file, path, name + SecondMoment, _second.Views[i]);
        }
    }

    public void Dispose()
    {
        _first.Dispose();
        _second.Dispose();
        _step.Dispose();
        _numbers.Dispose();
    }

    private static void Read(SafeTensorsFile file, string path, string name, Tensor into)
    {
        using var scope = NewDisposeScope();
        var stored = file.Load(name);
        if (!stored.shape.AsSpan().SequenceEqual(into.shape))
        {
            throw new CheckpointException($"{path}: {name} has shape ({string.Join(", ", stored.shape)}), the model asks for ({string.Join(", ", into.shape)})");
        }

        into.copy_(stored);
    }

    private unsafe void Set(params ReadOnlySpan<double> numbers) => numbers.CopyTo(new Span<double>(Ops.CpuKernel.Pointer(_numbers), numbers.Length));

    private sealed record Group(Tensor[] Parameters, Tensor[] Gradients, Tensor[] First, Tensor[] Second, Tensor[] Steps, double WeightDecay);
}
