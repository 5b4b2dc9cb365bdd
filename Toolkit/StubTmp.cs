// Stand-ins until the branches text, native and training are merged: delete this file then.
#pragma warning disable CS1591, CS9113
using System.Text; using Decoder = Toolkit.Models.Decoder; using Toolkit.Text; using Toolkit.Evaluation; using Toolkit.Data;
namespace Toolkit.Text {
public sealed class Tokenizer
{
    public int VocabularySize => 300;
    public int EndOfTextId => 256;
    public int[] Encode(string text) => [.. Encoding.UTF8.GetBytes(text).Select(b => (int)b)];
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false) { var l = new List<byte>(); foreach (var i in ids) { if (i < 256) l.Add((byte)i); } return Encoding.UTF8.GetString([.. l]); }
    public static Tokenizer Train(IEnumerable<string> d, int v) => new();
    public static Tokenizer Load(string path) => new();
    public void Save(string path) { }
}
public sealed class IncrementalDecoder(Tokenizer t)
{
    private readonly System.Text.Decoder _d = Encoding.UTF8.GetDecoder();
    private readonly char[] _c = new char[8];
    public string Append(int id) { _ = t; return id >= 256 ? "" : new string(_c, 0, _d.GetChars([(byte)id], _c, false)); }
    public string Flush() => new(_c, 0, _d.GetChars([], _c, true));
}
}
namespace Toolkit.Data { public sealed class Corpus { public IReadOnlyList<string> Train = []; public IReadOnlyList<string> Validation = []; }
public sealed class TokenizedCorpus { public static TokenizedCorpus From(Tokenizer t, IEnumerable<string> d) => new(); } }
namespace Toolkit.Evaluation { public static class Perplexity { public static EvaluationResult Evaluate(Decoder d, TokenizedCorpus c, int sequenceLength = 256, int batchSize = 8, long maxTokens = long.MaxValue) => new(1,1,1); } }
namespace Toolkit.Training { public sealed record TrainingOptions { public int Steps, BatchSize, SequenceLength, WarmupSteps; public double LearningRate; public double? PeakFlopsPerSecond; }
public sealed class Trainer(Decoder d, TokenizedCorpus c, TrainingOptions o, TokenizedCorpus? v = null) : IDisposable { public IEnumerable<TrainingStep> Run(CancellationToken t = default) => []; public void Dispose() {} } }
