using System.Runtime.InteropServices;
using Toolkit.Graphs.Dispatch;

namespace Toolkit.Tests.Graphs.Dispatch;

/// <summary>Operators that the dispatcher calls use all threads: the region that <c>torch_parallel_for</c> opens is closed before they begin.</summary>
public sealed unsafe class ParallelCodeTests
{
    private const string Guard = "_ZN3c1013ParallelGuardC1Eb";
    private const string IsInRegion = "_ZN3c1013ParallelGuard10is_enabledEv";
    private static (long Begin, long End, nint Context, bool InRegion) _seen;

    [Fact]
    public void A_call_goes_on_with_its_arguments_outside_of_a_region()
    {
        Assert.SkipUnless(DispatcherCapture.IsAvailable, DispatcherCapture.WhyNot ?? "");
        var next = (nint)(delegate* unmanaged<long, long, nint, void>)&See;
        var parallelFor = DispatcherCapture.Required.Symbols.ParallelFor;

        Assert.Equal(0, parallelFor(0, 0x7000_1234_5678_9ABC, long.MaxValue, (void*)next, (void*)42));
        Assert.Equal((0, 0x7000_1234_5678_9ABC, 42, true), _seen);

        Assert.Equal(0, parallelFor(0, 0x7000_1234_5678_9ABC, long.MaxValue, (void*)ParallelCode.Before(DispatcherSymbols.OfLibTorch(Guard), next), (void*)43));
        Assert.Equal((0, 0x7000_1234_5678_9ABC, 43, false), _seen);
        Assert.False(InRegion());
    }

    [Fact]
    public void Without_the_guard_the_function_itself_is_called() => Assert.Equal(1234, ParallelCode.Before(0, 1234));

    private static bool InRegion() => ((delegate* unmanaged<byte>)DispatcherSymbols.OfLibTorch(IsInRegion))() != 0;

    [UnmanagedCallersOnly]
    private static void See(long begin, long end, nint context) => _seen = (begin, end, context, InRegion());
}
