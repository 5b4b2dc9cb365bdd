using System.Diagnostics;
using System.Runtime.InteropServices;
using Toolkit.Graphs.Dispatch;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Autograd;

/// <summary>
/// The backward pass that runs on this thread, as libtorch knows it. An exception must not leave a function that libtorch calls in it: what went wrong is left, when the pass is over, where
/// TorchSharp looks for libtorch's own errors after <c>backward</c> and <c>autograd.grad</c>, which throw it then.
/// </summary>
internal static unsafe class BackwardPass
{
    private static readonly delegate* unmanaged<byte> _keepsGraph = (delegate* unmanaged<byte>)DispatcherSymbols.OfLibTorch("_ZN5torch8autograd33get_current_graph_task_keep_graphEv");
    private static readonly delegate* unmanaged<nint> _engine = (delegate* unmanaged<nint>)DispatcherSymbols.OfLibTorch("_ZN5torch8autograd6Engine18get_default_engineEv");
    private static readonly delegate* unmanaged<nint, NativeFunction*, void> _queue =
        (delegate* unmanaged<nint, NativeFunction*, void>)DispatcherSymbols.OfLibTorch("_ZN5torch8autograd6Engine14queue_callbackESt8functionIFvvEE");

    private static readonly Lock _lock = new();
    private static readonly nint* _message = (nint*)NativeMemory.AllocZeroed((nuint)sizeof(nint));
    private static readonly nint _thrower = Thrower(DispatcherSymbols.OfLibTorch("_ZSt21__throw_runtime_errorPKc"));
    private static readonly Tensor _one = zeros(1).DetachFromDisposeScope();

    /// <summary>Whether what is kept for it may be needed again (<c>retain_graph</c>); true where nobody knows.</summary>
    public static bool KeepsGraph => _keepsGraph is null || _keepsGraph() != 0;

    /// <summary>
    /// Whether its caller takes gradients by <c>autograd.grad</c>: libtorch throws where one of them is none, and nobody catches that.
    /// </summary>
    public static bool MustGiveAll => new StackTrace(false).GetFrames().Any(frame => frame.GetMethod() is { Name: "grad" } method && method.DeclaringType == typeof(autograd));

    /// <summary>Whether autograd is to look at what each operation makes and to name the one that went wrong (<c>autograd.detect_anomaly</c>).</summary>
    public static bool IsWatched => THSAutograd_isAnomalyEnabled() != 0;

    /// <summary>Lets the caller of the pass throw when it is over.</summary>
    /// <returns>Whether it will.</returns>
    public static bool Fail(string message) => _thrower != 0 && AtEnd(() => LeaveError(message));

    /// <summary>Runs something when the pass is over.</summary>
    /// <returns>Whether it will.</returns>
    public static bool AtEnd(Action action)
    {
        if (_engine is null || _queue is null)
        {
            return false;
        }

        var function = new NativeFunction
        {
            State = GCHandle.ToIntPtr(GCHandle.Alloc(action)),
            Manage = (nint)(delegate* unmanaged<NativeFunction*, NativeFunction*, int, byte>)&Manage,
            Invoke = (nint)(delegate* unmanaged<NativeFunction*, void>)&Invoke,
        };
        _queue(_engine(), &function);
        return true;
    }

    /// <summary>TorchSharp keeps an error of libtorch's by thread; a call of it that fails with the very message leaves it there.</summary>
    private static void LeaveError(string message)
    {
        lock (_lock)
        {
            *_message = Marshal.StringToCoTaskMemUTF8(message);
            THSTensor_unbind(_one.Handle, _thrower, 0);
            Marshal.FreeCoTaskMem(*_message);
        }
    }

    /// <summary>A function that throws an exception of C++ with the message.</summary>
    private static nint Thrower(nint throwError) => throwError == 0 ? 0 : MachineCode.Place(
    [
        0x48, 0xB8, .. BitConverter.GetBytes((long)_message), // mov rax, place of the message
        0x48, 0x8B, 0x38,                                     // mov rdi, [rax]
        0x48, 0xB8, .. BitConverter.GetBytes((long)throwError), // mov rax, std::__throw_runtime_error
        0xFF, 0xE0,                                           // jmp rax
    ]);

    [UnmanagedCallersOnly]
    private static void Invoke(NativeFunction* function)
    {
        var handle = GCHandle.FromIntPtr(function->State);
        try
        {
            ((Action)handle.Target!)();
        }
        catch (Exception problem)
        {
            Environment.FailFast("an exception at the end of a backward pass", problem);
        }

        handle.Free();
    }

    /// <summary>Copies it (2); there is nothing to destroy (3), and nobody asks for its type (0) or its address (1).</summary>
    [UnmanagedCallersOnly]
    private static byte Manage(NativeFunction* target, NativeFunction* source, int operation)
    {
        if (operation == 2)
        {
            target->State = source->State;
        }

        return 0;
    }

    [DllImport("LibTorchSharp")]
    private static extern byte THSAutograd_isAnomalyEnabled();

    [DllImport("LibTorchSharp")]
    private static extern void THSTensor_unbind(nint tensor, nint allocator, long dimension);

    /// <summary>A <c>std::function&lt;void()&gt;</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct NativeFunction
    {
        public nint State;
        public nint More;
        public nint Manage;
        public nint Invoke;
    }
}
