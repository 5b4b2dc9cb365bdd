using Xunit.Sdk;
using Xunit.v3;

// A session holds the console and the current folder of the process.
[assembly: Parallelization(Mode = ParallelMode.None)]
