using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Toolkit.Benchmarks.Notebook;

/// <summary>
/// What a user of the Jupyter kernel waits for, over real sockets against a kernel process: start, a trivial cell, completion in a session that uses TorchSharp, a package
/// that was fetched before, an interrupt, and the memory of an idle kernel. Each start is a new process; the rest are medians.
/// </summary>
internal static class KernelBenchmark
{
    private const int Starts = 5;
    private const int Rounds = 50;

    public static int Run()
    {
        var starts = new List<double>();
        var memory = 0L;
        for (var i = 0; i < Starts; i++)
        {
            using var fresh = KernelProcess.Start();
            starts.Add(fresh.StartTime.TotalSeconds);
            memory = fresh.ResidentBytes;
        }

        Console.WriteLine($"process start to kernel_info_reply   {Median(starts):0.00} s (goal 1.5)");
        Console.WriteLine($"memory of the idle kernel            {memory / 1e6:0} MB (goal 200)");
        using var kernel = KernelProcess.Start();
        kernel.Execute("1 + 1");
        Console.WriteLine($"trivial cell                         {Milliseconds(() => kernel.Execute("1 + 1")):0} ms (goal 30)");
        kernel.Execute("using TorchSharp; var x = torch.ones(3);");
        Console.WriteLine($"completion, TorchSharp referenced    {Milliseconds(() => kernel.Request("complete_request", new JsonObject { ["code"] = "x.me", ["cursor_pos"] = 4 })):0} ms (goal 100)");
        const string package = "#r \"nuget: Newtonsoft.Json, 13.0.3\"";
        kernel.Execute(package);
        using var second = KernelProcess.Start();
        second.Execute("1 + 1");
        var clock = Stopwatch.GetTimestamp();
        second.Execute(package);
        Console.WriteLine($"#r nuget, cached                     {Stopwatch.GetElapsedTime(clock).TotalSeconds:0.00} s (goal 1)");
        Console.WriteLine($"interrupt of an endless loop         {Median([.. Enumerable.Range(0, 9).Select(_ => kernel.InterruptTime("while (true) { }").TotalMilliseconds)]):0} ms (goal 200)");
        return 0;
    }

    private static double Milliseconds(Action action) => Median([.. Enumerable.Range(0, Rounds).Select(_ =>
    {
        var clock = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(clock).TotalMilliseconds;
    })]);

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
