using Toolkit.Display;
using Toolkit.Measurement;
using TorchSharp;

namespace Toolkit.Polyglot;

/// <summary>A magic command that the package's <c>extension.dib</c> adds to the notebook.</summary>
/// <param name="Name">What the user types, such as <c>#!toolkit-doctor</c>.</param>
/// <param name="Description">One line of help.</param>
/// <param name="Action">What it does.</param>
public sealed record Magic(string Name, string Description, Action Action)
{
    /// <summary>All of them.</summary>
    public static IReadOnlyList<Magic> All { get; } =
    [
        new("#!toolkit-doctor", "Tells about this machine: libtorch, processor, GPU, measured rates, and what is missing.", () => Doctor.Examine().Show()),
        new("#!toolkit-memory", "Shows the memory of this notebook's process: managed, native, and tensors that are alive.", () => Memory().Show()),
        new("#!toolkit-plotly", "Sends plotly.js again: for charts that wait for it because the output that carried it was cleared.", SendPlotly),
    ];

    /// <summary>Runs it; an exception is shown, not thrown: the host would swallow it.</summary>
    public void Run()
    {
        try
        {
            Action();
        }
        catch (Exception problem)
        {
            problem.Show();
        }
    }

    /// <summary>Shows which magics there are.</summary>
    public static void Announce() =>
        MimeBundle.Text("Magics:\n" + string.Join('\n', All.Select(magic => $"  {magic.Name}  {magic.Description}"))).Show();

    private static TableView Memory()
    {
        using var process = System.Diagnostics.Process.GetCurrentProcess();
        return new TableView(
            ["memory", "size"],
            [
                ["process, resident", Megabytes(process.WorkingSet64)],
                ["process, resident at its peak", Megabytes(process.PeakWorkingSet64)],
                ["managed heap", Megabytes(GC.GetTotalMemory(forceFullCollection: false))],
                ["machine, in use", Megabytes(GC.GetGCMemoryInfo().MemoryLoadBytes)],
                ["machine", Megabytes(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes)],
                ["tensors alive", torch.Tensor.TotalCount],
            ])
        {
            Title = "Memory of this notebook",
            Note = "Tensors live outside of the managed heap: dispose them, or work within torch.NewDisposeScope().",
        };
    }

    private static string Megabytes(long bytes) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{bytes / 1e6:N0} MB");

    private static void SendPlotly()
    {
        if (Output.Host is InteractiveHost host)
        {
            host.SendPlotly();
        }
    }
}
