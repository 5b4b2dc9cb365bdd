using System.CommandLine;
using System.Runtime.InteropServices;

namespace Toolkit.Notebook.Jupyter;

/// <summary>The command <c>toolkit kernel</c>.</summary>
internal static class KernelCommand
{
    public static Command Create()
    {
        var name = new Option<string>("--name") { Description = "The kernel's name in Jupyter.", DefaultValueFactory = _ => KernelSpec.DefaultName };
        var prefix = new Option<string?>("--prefix") { Description = "An environment to install into, such as /usr/local (default: the user's own)." };
        var file = new Argument<string>("connection-file") { Description = "The file that the front end wrote." };

        var install = new Command("install", "Lets Jupyter Notebook, JupyterLab and VS Code find the C# kernel.") { name, prefix };
        install.SetAction(parsed => Tell(() => $"installed {KernelSpec.Install(parsed.GetValue(name)!, parsed.GetValue(prefix))}"));
        var uninstall = new Command("uninstall", "Takes the kernel away again.") { name, prefix };
        uninstall.SetAction(parsed => Tell(() => $"removed {KernelSpec.Uninstall(parsed.GetValue(name)!, parsed.GetValue(prefix))}"));
        var list = new Command("list", "Lists the kernels that were installed.") { prefix };
        list.SetAction(parsed => Tell(() => string.Join('\n', KernelSpec.List(parsed.GetValue(prefix)).DefaultIfEmpty("none is installed"))));
        var start = new Command("start", "Runs the kernel; front ends call this.") { file };
        start.SetAction(parsed => Start(parsed.GetValue(file)!));
        return new Command("kernel", "The C# kernel for Jupyter front ends.") { install, uninstall, list, start };
    }

    private static int Tell(Func<string> act)
    {
        try
        {
            Console.Out.WriteLine(act());
            return 0;
        }
        catch (Exception problem) when (problem is ArgumentException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(problem.Message);
            return 2;
        }
    }

    private static int Start(string connectionFile)
    {
        try
        {
            using var kernel = new JupyterKernel(ConnectionFile.Read(connectionFile), TimeProvider.System);
            using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context =>
            {
                context.Cancel = true;
                kernel.Interrupt();
            });
            kernel.Run().GetAwaiter().GetResult();
            return 0;
        }
        catch (Exception problem) when (problem is InvalidDataException or IOException or UnauthorizedAccessException or NetMQ.NetMQException)
        {
            Console.Error.WriteLine(problem.Message);
            return 2;
        }
    }
}
