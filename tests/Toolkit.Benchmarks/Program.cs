using Toolkit.Benchmarks.Checkpoints;
using Toolkit.Benchmarks.Graphs;
using Toolkit.Benchmarks.Text;
using Toolkit.Benchmarks.Training;

return args switch
{
    ["training-step", ..] => TrainingStepBenchmark.Run(),
    ["cpu-graphs", .. var only] => CpuBackendBenchmark.Run(only),
    ["gguf", ..] => GgufBenchmark.Run(),
    ["tokenizer", var path, .. var tokenizers] => TokenizerBenchmark.Run(path, tokenizers),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("benchmarks: training-step | cpu-graphs [row…] | gguf | tokenizer <text.gz> [tokenizer…]");
    return 2;
}
