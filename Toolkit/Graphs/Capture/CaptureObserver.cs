using System.Reflection;
using Toolkit.Graphs.Il;

namespace Toolkit.Graphs.Capture;

/// <summary>Decides which calls of a module's program are opened, and which are operations.</summary>
internal abstract class CaptureObserver : Observer
{
    /// <inheritdoc/>
    protected override CallKind Decide(MethodBase method)
    {
        if (method.DeclaringType is not { } type)
        {
            return CallKind.Native;
        }

        if (type.Assembly == TorchSharpApi.Assembly)
        {
            return TorchSharpApi.Decide(method);
        }

        if (type == typeof(Interruption))
        {
            return CallKind.Native; // asks the host whether to go on: nothing of the module
        }

        if (type.Assembly == typeof(Tracer).Assembly)
        {
            return method.IsDefined(typeof(Ops.GraphOperatorAttribute), false) || (type == typeof(Ops.CpuKernel) && method.Name == nameof(Ops.CpuKernel.Fits)) ? CallKind.Leaf
                : type.Namespace?.StartsWith("Toolkit.Graphs", StringComparison.Ordinal) == true && !TorchSharpApi.IsModule(type) ? CallKind.Native
                : base.Decide(method);
        }

        return base.Decide(method);
    }
}
