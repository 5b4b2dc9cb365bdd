using System.Diagnostics;
using System.Runtime.CompilerServices;
using Toolkit.Checkpoints;
using Toolkit.Graphs;
using Toolkit.Graphs.Cpu;
using TorchSharp;

namespace Toolkit.Tests.Graphs.Export;

/// <summary>
/// Lets a test start this program again: with the variable set it loads an artifact, calls it with the tensors of a safetensors file (x0, x1, ...) several times, leaves in another
/// what came out of each call, and prints how often the C# compiler was asked. Nothing of the test that saved the artifact runs there.
/// </summary>
internal static class ArtifactProcess
{
    private const string Variable = "TOOLKIT_TESTS_ARTIFACT";

    /// <summary>Runs an artifact in another process, which has no kernels on disk.</summary>
    /// <returns>What came out of each call, and what was printed.</returns>
    public static (SafeTensorsFile Results, string Output) Run(string artifact, int calls, params torch.Tensor[] inputs)
    {
        var folder = Path.GetDirectoryName(artifact)!;
        var (given, results) = (Path.Combine(folder, "given.safetensors"), Path.Combine(folder, "results.safetensors"));
        SafeTensorsFile.Save(given, inputs.Select((tensor, i) => (tensor, i)).ToDictionary(pair => $"x{pair.i}", pair => pair.tensor));
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment[Variable] = string.Join('|', artifact, given, results, calls);
        start.Environment["XDG_DATA_HOME"] = Path.Combine(folder, "data");
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, output.Result + errors);
        return (SafeTensorsFile.Open(results), output.Result.Trim());
    }

    [ModuleInitializer]
    internal static void RunAndExit()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } asked)
        {
            return;
        }

        Toolkit.Native.LibTorch.Load();
        var parts = asked.Split('|');
        using (torch.NewDisposeScope())
        using (var artifact = Compiled.Load(parts[0]))
        using (var given = SafeTensorsFile.Open(parts[1]))
        {
            var inputs = Enumerable.Range(0, given.Entries.Count).Select(i => given.Load($"x{i}")).ToArray();
            var results = Enumerable.Range(0, int.Parse(parts[3])).ToDictionary(i => $"y{i}", _ => artifact.forward(inputs).clone());
            SafeTensorsFile.Save(parts[2], results);
            Console.Out.WriteLine($"{KernelCompiler.Compilations} compilations, {artifact.LoadedCode} loaded");
        }

        Environment.Exit(0);
    }
}
