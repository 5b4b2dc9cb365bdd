using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.Data.Analysis;
using Toolkit.Data;
using Toolkit.Display;
using Toolkit.Evaluation;
using Toolkit.Graphs;
using Toolkit.Measurement;
using Toolkit.Text;
using Toolkit.Training;
using TorchSharp;

namespace Notebook.Tests.Polyglot;

/// <summary>A value of every type that Toolkit has a way to show.</summary>
internal static class Samples
{
    public static readonly MemoryUse Memory = new(14_000_000, 14_500_000, 28_000_000, 61_000_000);

    public static readonly DecodeMeasurement Decode = new(
        64, TimeSpan.FromMilliseconds(43), TimeSpan.FromSeconds(2), 2e8, new MachineCeiling(1.28e10, 1.53e11, 2), new MemoryUse(200_000_000, KeyValueCache: 12_000_000));

    private static readonly CompiledModule<torch.Tensor, torch.Tensor> _compiled = CompiledModule();

    public static readonly IReadOnlyDictionary<string, object> Values = new Dictionary<string, object>
    {
        ["tensor"] = torch.arange(12).reshape(3, 4),
        ["module"] = torch.nn.Linear(3, 4),
        ["frame"] = Steps(30).ToDataFrame(),
        ["step"] = Steps(5)[4],
        ["evaluation"] = new EvaluationResult(3.25, 1000, 4200),
        ["memory"] = Memory,
        ["ceiling"] = Decode.Ceiling,
        ["decode"] = Decode,
        ["doctor"] = new DoctorReport([new DoctorFinding("GPU", "<none>")], ["a GPU & its driver"], Decode.Ceiling),
        ["corpus"] = Corpus.Open(Path.Combine(Root(), "datasets", "sotu")),
        ["tokenizer"] = Tokenizer.Train(["the cat sat on the mat, the cat sat"], 270),
        ["exception"] = new InvalidOperationException("bad <script>alert(1)</script>"),
        ["bundle"] = MimeBundle.Of("<i>html</i>", "plain"),
        ["loss chart"] = new LossChart(Steps(30)),
        ["memory chart"] = new MemoryChart(Memory),
        ["bandwidth chart"] = new BandwidthChart(Decode),
        ["token view"] = new TokenView([(1, "<a>"), (2, " \n")], "tokens"),
        ["table"] = new TableView(["a", "b"], [[1, "x"], [2, "y"]]),
        ["model card"] = new ModelCard(torch.nn.Linear(3, 4)),
        ["progress bar"] = new ProgressBar("<merge>", 3, 10, TimeSpan.FromSeconds(2), "merges"),
        ["training progress"] = new TrainingProgress(Steps(7), final: true),
        ["steps"] = Steps(30),
        ["list of tensors"] = new List<torch.Tensor> { torch.ones(2), torch.zeros(3) },
        ["picture"] = ImageView.Of(Encoding.UTF8.GetBytes("<svg xmlns=\"http://www.w3.org/2000/svg\"/>")),
        ["graph"] = _compiled.Graph,
        ["cost"] = _compiled.Graph.Cost(),
        ["passes"] = Compiled.Passes,
        ["pass"] = Compiled.Passes[^1],
        ["compiled graph"] = Compiled,
        ["executable"] = Compiled.Executable,
        ["kernel"] = Compiled.Kernels[0],
        ["kernel source"] = Compiled.Kernels[0].Source,
        ["compile report"] = _compiled.Explain(),
        ["compiled module"] = _compiled,
        ["compiled decoder"] = Toolkit.Models.Decoder.Create(Toolkit.Models.DecoderConfig.Llama(1, 16, 2, 1, 32), 1).CompileDecoding(),
        ["artifact"] = Artifact(),
        ["evaluations"] = new[] { new EvaluationResult(3.25, 1000, 4200) },
    };

    private static CompiledGraph Compiled => (CompiledGraph)_compiled.Executable;

    public static TrainingStep[] Steps(int count) =>
    [
        .. Enumerable.Range(1, count).Select(step => new TrainingStep(step, count, step * 2048L, 8.0 / step, 3e-4 / step, 1.25, 5000.5, TimeSpan.FromSeconds(step * 0.5)) { Memory = Memory }),
    ];

    private static CompiledModule<torch.Tensor, torch.Tensor> CompiledModule()
    {
        using var still = torch.no_grad();
        return torch.nn.Sequential(("norm", torch.nn.LayerNorm(8)), ("act", torch.nn.GELU())).Compile(torch.ones(2, 8));
    }

    private static CompiledArtifact Artifact()
    {
        using var folder = new TemporaryFolder();
        var path = Path.Combine(folder.Path, "module.tkx");
        _compiled.Save(path);
        return Toolkit.Graphs.Compiled.Load(path);
    }

    private static string Root([CallerFilePath] string path = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(path)!, "..", "..", ".."));
}
