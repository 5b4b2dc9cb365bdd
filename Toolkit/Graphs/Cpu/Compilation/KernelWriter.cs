using System.Text;

namespace Toolkit.Graphs.Cpu;

/// <summary>Gathers the kernels of a plan in one C# file; equal ones (the layers of a model) become one.</summary>
internal sealed class KernelWriter
{
    private const string Optimized = "    [MethodImpl(MethodImplOptions.AggressiveOptimization)]\n";
    private readonly Dictionary<string, int> _numbers = new(StringComparer.Ordinal);
    private readonly List<(string Name, string Body)> _kernels = [];

    /// <summary>Name of a kernel.</summary>
    public string Name(int number) => _kernels[number].Name;

    /// <summary>Adds a kernel's call, and numbers it.</summary>
    public void Add(KernelStep step)
    {
        if (!_numbers.TryGetValue(step.Code.Body, out var number))
        {
            number = _kernels.Count;
            _numbers[step.Code.Body] = number;
            _kernels.Add(($"{step.Code.Title}{number}", step.Code.Body));
        }

        step.Kernel = number;
    }

    /// <summary>The file to compile, without comments: where nodes come from changes nothing of the machine code.</summary>
    public string Source(int width, bool isOptimized)
    {
        var text = new StringBuilder(KernelPrelude.Usings(width)).Append("\nnamespace Toolkit.Kernels;\n\npublic static unsafe class Kernels\n{\n");
        foreach (var (name, body) in _kernels)
        {
            text.Append(isOptimized ? Method(name, body) : Method(name, body).Replace(Optimized, "", StringComparison.Ordinal)).Append('\n');
        }

        return text.Append("}\n").ToString();
    }

    /// <summary>What a reader sees of a kernel.</summary>
    /// <param name="number">Its number.</param>
    /// <param name="steps">Its calls in the graph that is looked at.</param>
    public CpuKernelInfo Describe(int number, IReadOnlyList<KernelStep> steps) => new(
        new(Name(number), Comment(steps) + Method(Name(number), _kernels[number].Body).Replace("\n    ", "\n", StringComparison.Ordinal)[4..]),
        [.. steps.Select(step => step.Nodes)],
        steps.Sum(step => step.Code.Bytes),
        steps.Sum(step => step.Code.Flops));

    private static string Method(string name, string body) =>
        $"{Optimized}    public static void {name}(long begin, long end, byte** a, byte* scratch)\n    {{\n"
        + string.Join('\n', body.TrimEnd('\n').Split('\n').Select(line => line == "" ? "" : "        " + line)) + "\n    }\n";

    private static string Comment(IReadOnlyList<KernelStep> steps)
    {
        var text = new StringBuilder();
        foreach (var node in steps[0].Nodes)
        {
            text.Append("// ").Append(node).Append(node.Origin == Origin.None ? "" : $"  // {node.Origin}").Append('\n');
        }

        if (steps.Count > 1)
        {
            var others = steps.Skip(1).Select(step => step.Nodes.Count == 0 ? "" : step.Nodes[0].Origin.ToString()).Where(origin => origin != "").Distinct();
            text.Append($"// and {steps.Count - 1} more of the same {string.Join("; ", others)}".TrimEnd()).Append('\n');
        }

        return text.ToString();
    }
}
