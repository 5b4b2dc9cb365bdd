using Toolkit.Native;

namespace Toolkit.Graphs.Dispatch;

/// <summary>
/// The functions of libtorch and of the C++ runtime that reach the dispatcher. The C++ ones are private to a version of libtorch: <see cref="DispatcherCapture"/> decides whether they may
/// be called.
/// </summary>
internal sealed unsafe class DispatcherSymbols
{
    /// <summary>Name of everything that is looked up.</summary>
    public static readonly IReadOnlyList<string> Names =
    [
        "_ZN3c104impl29tls_set_dispatch_key_includedENS_11DispatchKeyEb",
        "_ZN3c108toStringENS_11DispatchKeyE",
        "_ZN3c1019UndefinedTensorImpl10_singletonE",
        "_ZN3c1010Dispatcher13realSingletonEv",
        "_ZN3c1010Dispatcher16registerFallbackENS_11DispatchKeyENS_14KernelFunctionENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE",
        "_ZN3c1010Dispatcher10findSchemaERKNS_12OperatorNameE",
        "_ZNK3c1010Dispatcher9callBoxedERKNS_14OperatorHandleEPSt6vectorINS_6IValueESaIS5_EE",
        "_ZN3c106IValueC1IN2at6TensorELDn0EEENS_8ArrayRefIT_EE",
        "_ZN3c106IValueC1IlLDn0EEENS_8ArrayRefIT_EE",
        "_ZN3c106IValueC1IbLm2EEESt5arrayIT_XT0_EE",
        "_ZN3c106IValueC1IbLm3EEESt5arrayIT_XT0_EE",
        "_ZN3c106IValueC1IbLm4EEESt5arrayIT_XT0_EE",
        "_ZN3c106IValueC1ENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE",
        "_ZN3c10lsERSoRKNS_14FunctionSchemaE",
        "_ZNSt7__cxx1119basic_ostringstreamIcSt11char_traitsIcESaIcEEC1Ev",
        "_ZNKSt7__cxx1119basic_ostringstreamIcSt11char_traitsIcESaIcEE3strEv",
        "_ZNSt7__cxx1119basic_ostringstreamIcSt11char_traitsIcESaIcEED1Ev",
        "torch_parallel_for",
        "aoti_torch_new_tensor_handle",
        "aoti_torch_delete_tensor_object",
        "aoti_torch_delete_c10_value_object",
        "aoti_torch_get_dim",
        "aoti_torch_get_sizes",
        "aoti_torch_get_strides",
        "aoti_torch_get_dtype",
        "aoti_torch_get_data_ptr",
        "aoti_torch_get_device_type",
        "aoti_torch_get_device_index",
        "FLAGS_caffe2_log_level",
        "_ZN2at13globalContextEv",
        "_ZNK2at7Context17userEnabledMkldnnEv",
        "_ZN2at7Context20setUserEnabledMkldnnEb",
    ];

    private const string ParallelGuard = "_ZN3c1013ParallelGuardC1Eb";
    private readonly nint[] _addresses;
    private readonly nint _callBoxed;

    private DispatcherSymbols(nint[] addresses, nint parallelGuard) => (_addresses, _callBoxed) = (addresses, ParallelCode.Before(parallelGuard, addresses[6]));

    /// <summary>The first argument of the calls of a dispatcher's member functions.</summary>
    public nint Dispatcher => ((delegate* unmanaged<nint>)At(3))();

    /// <summary>The tensor that is none.</summary>
    public nint Undefined => At(2);

    /// <summary>Turns a key on or off for operators that this thread calls.</summary>
    public delegate* unmanaged<short, byte, void> SetIncluded => (delegate* unmanaged<short, byte, void>)At(0);

    /// <summary>Name of a key.</summary>
    public delegate* unmanaged<short, byte*> KeyName => (delegate* unmanaged<short, byte*>)At(1);

    /// <summary>Lets a function stand behind a key for every operator: (place for the result, dispatcher, key, function, text).</summary>
    public delegate* unmanaged<void*, nint, ushort, void*, NativeString*, void*> RegisterFallback => (delegate* unmanaged<void*, nint, ushort, void*, NativeString*, void*>)At(4);

    /// <summary>An operator by its name: (place for the result, dispatcher, name).</summary>
    public delegate* unmanaged<FoundOperator*, nint, NativeString*, void*> FindSchema => (delegate* unmanaged<FoundOperator*, nint, NativeString*, void*>)At(5);

    /// <summary>Calls an operator with its arguments on a stack; it may throw, so it is called by <see cref="ParallelFor"/> alone.</summary>
    public void* CallBoxed => (void*)_callBoxed;

    /// <summary>Makes a list of tensors.</summary>
    public delegate* unmanaged<BoxedValue*, nint*, long, void> NewTensorList => (delegate* unmanaged<BoxedValue*, nint*, long, void>)At(7);

    /// <summary>Makes a list of integers.</summary>
    public delegate* unmanaged<BoxedValue*, long*, long, void> NewIntegerList => (delegate* unmanaged<BoxedValue*, long*, long, void>)At(8);

    /// <summary>Makes a text, whose memory it takes.</summary>
    public delegate* unmanaged<BoxedValue*, NativeString*, void> NewText => (delegate* unmanaged<BoxedValue*, NativeString*, void>)At(12);

    /// <summary>Writes a schema to a stream.</summary>
    public delegate* unmanaged<void*, void*, void*> PrintSchema => (delegate* unmanaged<void*, void*, void*>)At(13);

    /// <summary>Makes a stream that writes to a text.</summary>
    public delegate* unmanaged<void*, void> NewStream => (delegate* unmanaged<void*, void>)At(14);

    /// <summary>The text of a stream: (place for the result, stream).</summary>
    public delegate* unmanaged<NativeString*, void*, void*> StreamText => (delegate* unmanaged<NativeString*, void*, void*>)At(15);

    /// <summary>Ends a stream.</summary>
    public delegate* unmanaged<void*, void> DeleteStream => (delegate* unmanaged<void*, void>)At(16);

    /// <summary>Calls a function with three arguments, and turns an exception of C++ into a status.</summary>
    public delegate* unmanaged<long, long, long, void*, void*, int> ParallelFor => (delegate* unmanaged<long, long, long, void*, void*, int>)At(17);

    /// <summary>Another reference to a tensor.</summary>
    public delegate* unmanaged<nint*, nint**, int> NewTensor => (delegate* unmanaged<nint*, nint**, int>)At(18);

    /// <summary>Gives a reference back.</summary>
    public delegate* unmanaged<nint*, int> DeleteTensor => (delegate* unmanaged<nint*, int>)At(19);

    /// <summary>Gives a value, and the memory that it lies in, back.</summary>
    public delegate* unmanaged<BoxedValue*, int> DeleteValue => (delegate* unmanaged<BoxedValue*, int>)At(20);

    /// <summary>Number of dimensions.</summary>
    public delegate* unmanaged<nint*, long*, int> Dimensions => (delegate* unmanaged<nint*, long*, int>)At(21);

    /// <summary>Extents.</summary>
    public delegate* unmanaged<nint*, long**, int> Sizes => (delegate* unmanaged<nint*, long**, int>)At(22);

    /// <summary>Strides.</summary>
    public delegate* unmanaged<nint*, long**, int> Strides => (delegate* unmanaged<nint*, long**, int>)At(23);

    /// <summary>Type of the values.</summary>
    public delegate* unmanaged<nint*, int*, int> DataType => (delegate* unmanaged<nint*, int*, int>)At(24);

    /// <summary>Address of the first value.</summary>
    public delegate* unmanaged<nint*, nint*, int> DataPointer => (delegate* unmanaged<nint*, nint*, int>)At(25);

    /// <summary>Kind of device.</summary>
    public delegate* unmanaged<nint*, int*, int> DeviceType => (delegate* unmanaged<nint*, int*, int>)At(26);

    /// <summary>Number of the device.</summary>
    public delegate* unmanaged<nint*, int*, int> DeviceIndex => (delegate* unmanaged<nint*, int*, int>)At(27);

    /// <summary>How grave a message must be for libtorch to write it to the error stream.</summary>
    public int* LogLevel => (int*)At(28);

    /// <summary>libtorch's settings.</summary>
    public nint Context => ((delegate* unmanaged<nint>)At(29))();

    /// <summary>Whether oneDNN is used, by libtorch's settings.</summary>
    public delegate* unmanaged<nint, byte> IsOneDnnOn => (delegate* unmanaged<nint, byte>)At(30);

    /// <summary>Turns the use of oneDNN on or off in libtorch's settings.</summary>
    public delegate* unmanaged<nint, byte, void> SetOneDnn => (delegate* unmanaged<nint, byte, void>)At(31);

    /// <summary>Makes a list of two, three or four booleans that lie in the bytes of a number.</summary>
    public delegate* unmanaged<BoxedValue*, uint, void> NewFlagList(int count) => (delegate* unmanaged<BoxedValue*, uint, void>)At(7 + count);

    /// <summary>Looks everything up.</summary>
    /// <param name="find">Address of a symbol, 0 where there is none.</param>
    /// <param name="missing">The first that is not there.</param>
    public static DispatcherSymbols? Resolve(Func<string, nint> find, out string? missing)
    {
        var addresses = Names.Select(find).ToArray();
        var absent = Array.IndexOf(addresses, 0);
        missing = absent < 0 ? null : Names[absent];
        return absent < 0 ? new(addresses, find(ParallelGuard)) : null;
    }

    /// <summary>What the loaded libtorch has.</summary>
    public static nint OfLibTorch(string symbol) => LibTorch.FindExport(symbol);

    private nint At(int index) => _addresses[index];
}
