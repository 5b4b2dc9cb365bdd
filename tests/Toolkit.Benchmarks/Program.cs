using Toolkit.Benchmarks.Checkpoints;
using Toolkit.Benchmarks.Graphs;
using Toolkit.Benchmarks.Models;
using Toolkit.Benchmarks.Notebook;
using Toolkit.Benchmarks.Text;
using Toolkit.Benchmarks.Training;

return args switch
{
    ["training-step", ..] => TrainingStepBenchmark.Run(),
    ["kernel", ..] => KernelBenchmark.Run(),
    ["cpu-graphs", .. var only] => CpuBackendBenchmark.Run(only),
    ["graphs-guards", ..] => GuardBenchmark.Run(),
    ["graphs-start", .. var only] => StartBenchmark.Run(only),
    ["graphs-start-in", var name, var folder] => StartBenchmark.Compile(name, folder),
    ["graphs-decode", .. var only] => DecodeBenchmarks.Run(only),
    ["artifacts", .. var only] => ArtifactBenchmark.Run(only),
    ["artifact-load", var path] => ArtifactBenchmark.Load(path),
    ["graphs-training", .. var only] => TrainingGraphBenchmark.Run(only),
    ["gguf", ..] => GgufBenchmark.Run(),
    ["references", var folder] => ReferenceBenchmark.Run(folder),
    ["tokenizer", var path, .. var tokenizers] => TokenizerBenchmark.Run(path, tokenizers),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("benchmarks: training-step | kernel | cpu-graphs [row…] | graphs-training [row…] | graphs-guards | graphs-start [row…] | graphs-decode [row…] | artifacts [row…] | gguf | references <folder> | tokenizer <text.gz> [tokenizer…]");
    return 2;
}
