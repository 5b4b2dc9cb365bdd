using Toolkit.Benchmarks.Text;
using Toolkit.Benchmarks.Training;

return args switch
{
    ["training-step", ..] => TrainingStepBenchmark.Run(),
    ["tokenizer", var path, ..] => TokenizerBenchmark.Run(path),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("benchmarks: training-step | tokenizer <text.gz>");
    return 2;
}
