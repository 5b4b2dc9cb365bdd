using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TorchSharp;

namespace Toolkit.Graphs.Dispatch;

/// <summary>
/// libtorch's dispatcher, reached from C#. A function of ours stands behind the dispatch key <c>Fake</c>, which lies below autograd and which nothing else uses: where a thread has turned the
/// key on, every operator that autograd or the program calls comes by, with its arguments boxed on a stack.
/// </summary>
/// <remarks>
/// A C++ exception must not cross a managed frame. Operators are therefore called by <c>torch_parallel_for(begin, end, grain, f, context)</c>, which calls <c>f(begin, end, context)</c> inside
/// a try block: the three arguments stand where <c>callBoxed(dispatcher, operator, stack)</c> looks for its own.
/// </remarks>
internal sealed unsafe class Dispatcher
{
    private const string Mark = "Toolkit.Graphs.Dispatch.Registered";
    private static Dispatcher? _registered;
    [ThreadStatic]
    private static IDispatchListener? _listener;
    private static int _strangers;
    private static readonly Lock _oneDnn = new();
    private static int _withoutOneDnn; // threads, and calls in each other: the setting is libtorch's one
    private static byte _hadOneDnn;
    private readonly ConcurrentDictionary<nint, LibraryOperator> _byDefinition = new();
    private readonly ConcurrentDictionary<string, LibraryOperator?> _byName = new(StringComparer.Ordinal);
    private readonly nint _dispatcher;

    private Dispatcher(DispatcherSymbols symbols, short key) => (Symbols, Key, _dispatcher) = (symbols, key, symbols.Dispatcher);

    /// <summary>libtorch's functions.</summary>
    public DispatcherSymbols Symbols { get; }

    /// <summary>The key.</summary>
    public short Key { get; }

    /// <summary>How many calls came by on threads that were not asked to listen: autograd takes the caller's keys along to threads of its own.</summary>
    public static int Strangers => Volatile.Read(ref _strangers);

    /// <summary>Puts our function behind the key, once a process.</summary>
    /// <exception cref="GraphException">It cannot be, and nothing has been changed.</exception>
    public static Dispatcher Register(DispatcherSymbols symbols)
    {
        if (_registered is not null)
        {
            return _registered;
        }

        // A second registration is an exception of C++ that nobody catches: another Toolkit of this process (in another load context) leaves this mark.
        if (AppContext.GetData(Mark) is not null)
        {
            throw new GraphException("another copy of Toolkit in this process holds the dispatch key");
        }

        short key = -1;
        for (short i = 0; i < 64 && key < 0; i++)
        {
            key = Marshal.PtrToStringUTF8((nint)symbols.KeyName(i)) == "Fake" ? i : key;
        }

        if (key < 0)
        {
            throw new GraphException("there is no dispatch key \"Fake\"");
        }

        var dispatcher = new Dispatcher(symbols, key);
        AppContext.SetData(Mark, true);

        // KernelFunction: no functor, the boxed function, no unboxed ones. It, and the handle that would take the registration back, stay for good.
        var kernel = (nint*)NativeMemory.AllocZeroed(128);
        kernel[1] = (nint)(delegate* unmanaged<nint, OperatorHandle*, ulong, NativeVector*, void>)&OnCall;
        var registration = NativeMemory.AllocZeroed(256);
        NativeString name;
        NativeString.Write(&name, "toolkit");
        symbols.RegisterFallback(registration, dispatcher._dispatcher, (ushort)key, kernel, &name);
        return _registered = dispatcher;
    }

    /// <summary>Sends this thread's operators to a listener until the result is disposed of.</summary>
    /// <exception cref="InvalidOperationException">There is a listener.</exception>
    public IDisposable Listen(IDispatchListener listener)
    {
        if (_listener is not null)
        {
            throw new InvalidOperationException("this thread records already: a recording inside of a recording would see nothing, or everything twice");
        }

        _listener = listener;
        Symbols.SetIncluded(Key, 1);
        return new Listening(this);
    }

    /// <summary>Keeps what this thread does from the listener until the result is disposed of.</summary>
    public IDisposable Pause()
    {
        var listener = _listener;
        if (listener is not null)
        {
            Symbols.SetIncluded(Key, 0);
            _listener = null;
        }

        return new Pausing(this, listener);
    }

    /// <summary>
    /// Lets libtorch do without oneDNN until the result is disposed of: a layer of an LSTM is a product and some sums then, and not one operator that keeps for its backward pass what it alone
    /// knows.
    /// </summary>
    public IDisposable WithoutOneDnn()
    {
        lock (_oneDnn)
        {
            if (_withoutOneDnn++ == 0)
            {
                _hadOneDnn = Symbols.IsOneDnnOn(Symbols.Context);
                Symbols.SetOneDnn(Symbols.Context, 0);
            }
        }

        return new OneDnn(Symbols);
    }

    /// <summary>The operator of that name and overload; null where libtorch has none.</summary>
    public LibraryOperator? Find(string name) => _byName.GetOrAdd(name, Search);

    /// <summary>The operator that is called.</summary>
    public LibraryOperator Of(OperatorHandle* handle) =>
        _byDefinition.TryGetValue((nint)handle->Definition, out var known) ? known : _byDefinition.GetOrAdd((nint)handle->Definition, new LibraryOperator(this, *handle));

    /// <summary>Calls an operator with a stack.</summary>
    /// <returns>Whether it went well; where not, the stack holds what is left of the arguments.</returns>
    public bool Call(OperatorHandle* handle, NativeVector* stack) => Symbols.ParallelFor(0, (long)handle, long.MaxValue, Symbols.CallBoxed, stack) == 0;

    [UnmanagedCallersOnly]
    private static void OnCall(nint functor, OperatorHandle* handle, ulong keys, NativeVector* stack)
    {
        var dispatcher = _registered!;
        dispatcher.Symbols.SetIncluded(dispatcher.Key, 0);
        try
        {
            if (_listener is { } listener)
            {
                listener.OnCall(handle, stack);
            }
            else
            {
                Interlocked.Increment(ref _strangers);
                if (!dispatcher.Call(handle, stack))
                {
                    dispatcher.Of(handle).Poison(stack);
                }
            }
        }
        catch (Exception problem)
        {
            // Listeners catch their own; an exception that left this frame would end the process without a word.
            Environment.FailFast("an exception in a call of libtorch's dispatcher", problem);
        }

        dispatcher.Symbols.SetIncluded(dispatcher.Key, 1);
    }

    private LibraryOperator? Search(string name)
    {
        var dot = name.IndexOf('.', StringComparison.Ordinal);
        var parts = stackalloc NativeString[2];
        NativeString.Write(parts, dot < 0 ? name : name[..dot]);
        NativeString.Write(parts + 1, dot < 0 ? "" : name[(dot + 1)..]);
        var place = stackalloc byte[64];
        Unsafe.InitBlock(place, 0, 64);
        var found = (FoundOperator*)place;
        Symbols.FindSchema(found, _dispatcher, parts);
        NativeString.Free(parts);
        NativeString.Free(parts + 1);
        return found->Found == 0 ? null : Of(&found->Handle);
    }

    private sealed class Listening(Dispatcher dispatcher) : IDisposable
    {
        public void Dispose()
        {
            dispatcher.Symbols.SetIncluded(dispatcher.Key, 0);
            _listener = null;
        }
    }

    private sealed class OneDnn(DispatcherSymbols symbols) : IDisposable
    {
        public void Dispose()
        {
            lock (_oneDnn)
            {
                if (--_withoutOneDnn == 0)
                {
                    symbols.SetOneDnn(symbols.Context, _hadOneDnn);
                }
            }
        }
    }

    private sealed class Pausing(Dispatcher dispatcher, IDispatchListener? listener) : IDisposable
    {
        public void Dispose()
        {
            if (listener is not null)
            {
                _listener = listener;
                dispatcher.Symbols.SetIncluded(dispatcher.Key, 1);
            }
        }
    }
}

/// <summary>Sees the operators that a thread calls.</summary>
internal unsafe interface IDispatchListener
{
    /// <summary>An operator is called: calls it, and leaves its results on the stack. Must not throw.</summary>
    void OnCall(OperatorHandle* handle, NativeVector* stack);
}
