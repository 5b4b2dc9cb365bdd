using Toolkit.Benchmarks.Training;

return args switch
{
    ["training-step", ..] => TrainingStepBenchmark.Run(),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("benchmarks: training-step");
    return 2;
}
