using System.Collections.Immutable;
using System.Text;
using Microsoft.Data.Analysis;
using Spectre.Console;
using Toolkit.Data;
using Toolkit.Evaluation;
using Toolkit.Graphs;
using Toolkit.Graphs.Cpu;
using Toolkit.Graphs.Passes;
using Toolkit.Measurement;
using Toolkit.Text;
using Toolkit.Training;
using TorchSharp;
using SpectreText = Spectre.Console.Text;

namespace Toolkit.Display;

/// <summary>Formatters of the records that the other rooms hand out, with the units that people read.</summary>
internal static class RecordFormats
{
    public static void Register()
    {
        Formatter.Register<TrainingStep>(step => Facts($"Step {Units.Count(step.Step)} of {Units.Count(step.TotalSteps)}", Of(step)));
        Formatter.Register<EvaluationResult>(result => Facts("Evaluation", Of(result)));
        Formatter.Register<MemoryUse>(memory => Facts("Memory", Of(memory)));
        Formatter.Register<MachineCeiling>(ceiling => Facts("Measured ceilings of this machine", Of(ceiling)));
        Formatter.Register<DoctorReport>(Report);
        Formatter.Register<Corpus>(corpus => Facts(corpus.Title, Of(corpus), "tk-text"));
        Formatter.Register<Tokenizer>(tokenizer => Facts("Tokenizer", Of(tokenizer), "tk-text"));
        Formatter.Register<KernelSource>(CodeView.Of);
        Formatter.Register<CpuKernelInfo>(CodeView.Of);
        Formatter.Register<CpuExecutable>(CodeView.Of);
        Formatter.Register<IReadOnlyList<CpuKernelInfo>>(CodeView.Of);
        Formatter.Register<Graph>(GraphView.Of);
        Formatter.Register<CompiledGraph>(GraphView.Of);
        Formatter.Register<PassRecord>(GraphView.Of);
        Formatter.Register<ImmutableArray<PassRecord>>(GraphView.Of);
        Formatter.Register<CompileReport>(report => GraphView.Of(report));
        Formatter.Register<IReadOnlyList<CompileReport>>(GraphView.Of);
        Formatter.Register<CompiledDecoder>(GraphView.Of);
        Formatter.Register<CompiledArtifact>(GraphView.Of);
        Formatter.Register<GraphCost>(GraphView.Of);
        Formatter.Register<DecodeMeasurement>(measurement => Facts("Decode", Of(measurement)));
        Formatter.Register<torch.Tensor>(TensorFormat.Format);
        Formatter.Register<torch.nn.Module>(module => module is ICompiledModule compiled ? GraphView.Of(compiled) : new ModelCard(module).ToMimeBundle());
        Formatter.Register<DataFrame>(frame => TableView.Of(frame).ToMimeBundle());
        Formatter.Register<Exception>(Failure);
        Formatter.Register<Task>(Running);
        Formatter.Register<DisplayHandle>(handle => MimeBundle.Text($"display {handle.Id}"));
    }

    private static IEnumerable<(string Name, string? Value)> Of(TrainingStep step) =>
    [
        ("loss", Units.Fixed(step.Loss, 4)),
        ("validation loss", step.Validation is { } result ? Units.Fixed(result.Loss, 4) : null),
        ("bits per byte", step.Validation is { } measured ? Units.Fixed(measured.BitsPerByte, 4) : null),
        ("learning rate", Units.Small(step.LearningRate)),
        ("gradient norm", Units.Significant(step.GradientNorm)),
        ("tokens", Units.Count(step.Tokens)),
        ("speed", Units.Rate(step.TokensPerSecond, "tokens")),
        ("MFU", step.ModelFlopsUtilization is { } utilization ? Units.Percent(utilization) : null),
        ("elapsed", Units.Duration(step.Elapsed)),
        ("memory", step.Memory is { } memory ? Units.Bytes(memory.Total) : null),
    ];

    private static IEnumerable<(string Name, string? Value)> Of(EvaluationResult result) =>
    [
        ("loss", $"{Units.Fixed(result.Loss, 4)} nats a token"),
        ("perplexity", Units.Significant(result.Perplexity)),
        ("bits per byte", Units.Fixed(result.BitsPerByte, 4)),
        ("tokens", Units.Count(result.Tokens)),
        ("text", Units.Bytes(result.Bytes)),
    ];

    private static IEnumerable<(string Name, string? Value)> Of(MemoryUse memory) =>
    [
        ("weights", Kind(memory.Weights)),
        ("gradients", Kind(memory.Gradients)),
        ("optimizer", Kind(memory.Optimizer)),
        ("activations", Kind(memory.Activations)),
        ("KV cache", Kind(memory.KeyValueCache)),
        ("total", Units.Bytes(memory.Total)),
    ];

    private static IEnumerable<(string Name, string? Value)> Of(MachineCeiling ceiling) =>
    [
        ("memory read", Units.BytesPerSecond(ceiling.ReadBytesPerSecond)),
        ("matrix multiply, float32", Units.Flops(ceiling.MatMulFlopsPerSecond)),
        ("threads", Units.Count(ceiling.Threads)),
    ];

    private static IEnumerable<(string Name, string? Value)> Of(DecodeMeasurement measurement) =>
    [
        ("speed", Units.Rate(measurement.TokensPerSecond, "tokens")),
        ("MBU", $"{Units.Percent(measurement.ModelBandwidthUtilization)} of {Units.BytesPerSecond(measurement.Ceiling.ReadBytesPerSecond)}"),
        ("achieved", Units.BytesPerSecond(measurement.AchievedBytesPerSecond)),
        ("bytes a token", Units.Bytes(measurement.BytesPerToken)),
        ("tokens", Units.Count(measurement.Tokens)),
        ("prefill", Units.Duration(measurement.Prefill)),
        ("decode", Units.Duration(measurement.Decode)),
        .. Of(measurement.Memory).Select(row => (row.Name == "total" ? "memory" : $"memory, {row.Name}", row.Value)),
    ];

    private static IEnumerable<(string Name, string? Value)> Of(Corpus corpus) =>
    [
        ("name", corpus.Name),
        ("to train on", Documents(corpus.Train)),
        ("to validate on", Documents(corpus.Validation)),
        ("licence", corpus.Licence),
        ("origin", corpus.Origin),
        ("begins", corpus.Train[0] is { Length: > 80 } text ? $"{text[..80]}…" : corpus.Train[0]),
    ];

    private static IEnumerable<(string Name, string? Value)> Of(Tokenizer tokenizer)
    {
        var ids = Enumerable.Range(0, tokenizer.VocabularySize).Where(id => tokenizer.TokenBytes(id).Length > 0).ToArray();
        return
        [
            ("kind", "byte-level byte-pair encoding"),
            ("vocabulary", Units.Count(tokenizer.VocabularySize)),
            ("special tokens", string.Join(", ", tokenizer.SpecialTokens.Select(token => $"{token.Key} ({token.Value})").DefaultIfEmpty("none"))),
            ("longest tokens", string.Join(", ", ids.OrderByDescending(id => tokenizer.TokenBytes(id).Length).Take(5).Select(id => $"“{tokenizer.TokenText(id)}”"))),
        ];
    }

    private static string Documents(IReadOnlyList<string> documents) =>
        $"{Units.Count(documents.Count)} documents, {Units.Bytes(documents.Sum(document => (long)Encoding.UTF8.GetByteCount(document)))}";

    private static string? Kind(long bytes) => bytes > 0 ? Units.Bytes(bytes) : null;

    private static MimeBundle Facts(string title, IEnumerable<(string Name, string? Value)> facts, string valueClass = "tk-num")
    {
        var known = facts.Where(fact => fact.Value is not null).ToArray();
        var grid = new Grid().AddColumns(2);
        foreach (var (name, value) in known)
        {
            grid.AddRow(new SpectreText(name), new SpectreText(value!));
        }

        var rows = string.Concat(known.Select(fact => $"<tr><td>{Fragment.Encode(fact.Name)}</td><td class=\"{valueClass}\">{Fragment.Encode(fact.Value!)}</td></tr>"));
        return MimeBundle.Of(Fragment.Box($"<table class=\"tk-table\"><tbody>{rows}</tbody></table>", title), $"{title}\n{PlainText.Render(grid)}");
    }

    private static MimeBundle Report(DoctorReport report)
    {
        var facts = Facts("Toolkit doctor", report.Findings.Select(finding => (finding.Name, (string?)finding.Value)), "tk-text");
        var end = report.Missing.Count == 0 ? "Nothing is missing." : "Missing:";
        var list = string.Concat(report.Missing.Select(line => $"<li>{Fragment.Encode(line)}</li>"));
        return MimeBundle.Of(
            facts.Html + Fragment.Box($"{Fragment.Encode(end)}<ul>{list}</ul>"),
            string.Join('\n', [facts.Plain.TrimEnd(), end, .. report.Missing.Select(line => $"  - {line}")]));
    }

    /// <summary>A finished task is shown as its result; nobody waits for another.</summary>
    private static MimeBundle Running(Task task)
    {
        if (task.IsFaulted)
        {
            return Formatter.Format(task.Exception.InnerExceptions.Count == 1 ? task.Exception.InnerException : task.Exception);
        }

        // The state machine of an async method is a Task<VoidTaskResult>: a result nobody asked for.
        var result = task.IsCompletedSuccessfully ? task.GetType().GetProperty("Result") : null;
        return result is not null && result.PropertyType.Name != "VoidTaskResult"
            ? Formatter.Format(result.GetValue(task))
            : MimeBundle.Text(task.IsCompleted ? $"Task: {(task.IsCanceled ? "cancelled" : "done")}" : "Task: still running; write await in front of it to see its result");
    }

    private static MimeBundle Failure(Exception exception)
    {
        var head = $"{exception.GetType().Name}: {exception.Message}";
        // Frames of code with known lines are mostly the user's own; those of libraries come with the whole trace.
        var frames = new System.Diagnostics.StackTrace(exception, fNeedFileInfo: true).GetFrames().Where(frame => frame.GetFileLineNumber() > 0)
            .Select(frame => $"at {Path.GetFileName(frame.GetFileName())}, line {frame.GetFileLineNumber()}").Distinct();
        var html = $"<div class=\"tk-error\"><div class=\"tk-title\">{Fragment.Encode(head)}</div>{string.Concat(frames.Select(frame => Fragment.Note(frame)))}<details><summary>stack trace</summary><pre>{Fragment.Encode(exception.ToString())}</pre></details></div>";
        return MimeBundle.Of(Fragment.Box(html), exception.ToString());
    }
}
