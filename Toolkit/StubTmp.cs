// Stand-ins until the branches text, native and training are merged: delete this file then.
#pragma warning disable CS1591, CS9113
using System.Text; using Decoder = Toolkit.Models.Decoder; using Toolkit.Text; using Toolkit.Evaluation; using Toolkit.Data;
namespace Toolkit.Data { public sealed class Corpus { public IReadOnlyList<string> Train = []; public IReadOnlyList<string> Validation = []; }
public sealed class TokenizedCorpus { public static TokenizedCorpus From(Tokenizer t, IEnumerable<string> d) => new(); } }
namespace Toolkit.Evaluation { public static class Perplexity { public static EvaluationResult Evaluate(Decoder d, TokenizedCorpus c, int sequenceLength = 256, int batchSize = 8, long maxTokens = long.MaxValue) => new(1,1,1); } }
namespace Toolkit.Training { public sealed record TrainingOptions { public int Steps, BatchSize, SequenceLength, WarmupSteps; public double LearningRate; public double? PeakFlopsPerSecond; }
public sealed class Trainer(Decoder d, TokenizedCorpus c, TrainingOptions o, TokenizedCorpus? v = null) : IDisposable { public IEnumerable<TrainingStep> Run(CancellationToken t = default) => []; public void Dispose() {} } }
