using System.Runtime.CompilerServices;
using Toolkit.Display;
using Toolkit.Measurement;

namespace Toolkit.Tests.Native;

/// <summary>
/// Lets a test start this program again in another environment: with the variable set it prints the doctor's report and ends before any
/// test runs. Its order among the module's initializers does not matter: the doctor reports what did not load.
/// </summary>
internal static class DoctorProcess
{
    public const string Variable = "TOOLKIT_TESTS_DOCTOR";

    public static bool IsAsked => Environment.GetEnvironmentVariable(Variable) is { Length: > 0 };

    [ModuleInitializer]
    internal static void ReportAndExit()
    {
        if (IsAsked)
        {
            var report = Doctor.Examine();
            Console.Out.WriteLine(Formatter.Format(report).Plain);
            Environment.Exit(report.IsHealthy ? 0 : 1);
        }
    }
}
