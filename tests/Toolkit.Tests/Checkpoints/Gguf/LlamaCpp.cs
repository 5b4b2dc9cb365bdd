using System.Diagnostics;
using System.Text.Json;

namespace Toolkit.Tests.Checkpoints;

/// <summary>llama.cpp as it comes with the npm package node-llama-cpp, where that is installed.</summary>
internal static class LlamaCpp
{
    /// <summary>Names a folder in which the package was installed.</summary>
    public const string Variable = "NODE_LLAMA_CPP";

    /// <summary>The folder that holds node_modules/node-llama-cpp: what the variable names, or one above the tests.</summary>
    private static readonly string? Folder = Candidates().FirstOrDefault(folder => Directory.Exists(Path.Combine(folder, "node_modules", "node-llama-cpp")));

    /// <summary>The most probable next tokens after every prefix, with their probabilities, the most probable first.</summary>
    public static (int Token, double Probability)[][] NextTokens(string model, IEnumerable<long> ids)
    {
        Assert.SkipWhen(Folder is null, $"the npm package node-llama-cpp is not installed; {Variable} can name the folder with its node_modules");
        var input = Path.Combine(Path.GetDirectoryName(model)!, "ids.json");
        File.WriteAllText(input, JsonSerializer.Serialize(ids));
        var script = Path.Combine(Fixtures.Folder, "llamacpp", "next_tokens.mjs");
        using var process = Process.Start(new ProcessStartInfo("node", [script, Folder, model, input]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var problems = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, problems.Result + output);
        return JsonSerializer.Deserialize<double[][][]>(output)!.Select(top => top.Select(pair => ((int)pair[0], pair[1])).ToArray()).ToArray();
    }

    private static IEnumerable<string> Candidates()
    {
        if (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } named)
        {
            yield return named;
        }

        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            yield return folder.FullName;
        }
    }
}
