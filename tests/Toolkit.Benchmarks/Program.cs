using Toolkit.Benchmarks.Checkpoints;
using Toolkit.Benchmarks.Text;
using Toolkit.Benchmarks.Training;

return args switch
{
    ["training-step", ..] => TrainingStepBenchmark.Run(),
    ["gguf", ..] => GgufBenchmark.Run(),
    ["tokenizer", var path, .. var tokenizers] => TokenizerBenchmark.Run(path, tokenizers),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("benchmarks: training-step | gguf | tokenizer <text.gz> [tokenizer…]");
    return 2;
}
