using System.Runtime.InteropServices;
using Toolkit.Native;
using TorchSharp;
using static TorchSharp.torch;
using NativeMemory = System.Runtime.InteropServices.NativeMemory;

namespace Toolkit.Graphs.Cpu;

/// <summary>
/// Makes tensors of libtorch's in <see cref="ResultMemory"/>. They are tensors like any other: their storage is libtorch's own and can be resized, shared and saved, and the memory is given
/// back when the last tensor that lies in it, of whatever kind, has gone. libtorch has no stable function for that, so it is shown an allocator of ours through its C++ interface, which is
/// tried out once; where it is not as expected, results are ordinary tensors.
/// </summary>
internal static unsafe class ResultAllocator
{
    private const ulong CpuKeys = 1UL << 16 | 1; // c10::DispatchKeySet of dense tensors on the CPU
    private const int AllocateEntry = 2; // in the table of virtual functions, after two destructors
    private const int Entries = 6;
    private const int Words = 22; // of a TensorImpl
    private static readonly Lock _lock = new();
    private static readonly Lazy<bool> _isUsable = new(Prepare);
    private static nint _default; // libtorch's own allocator
    private static nint* _defaultTable;
    private static nint* _allocator; // ours: libtorch's, but while a tensor is made, with another function that allocates
    private static nint* _table;
    private static readonly Scalar _two = 2f.ToScalar();
    private static DataPointer _pattern; // what libtorch's own allocator returns
    private static delegate* unmanaged<nint, long*, long, long*, long, nint*, ulong, sbyte, nint> _make; // at::detail::empty_strided_generic

    [ThreadStatic]
    private static nint _block; // what the tensor that this thread makes will lie in

    /// <summary>Whether large results lie in <see cref="ResultMemory"/> here.</summary>
    public static bool IsUsable => _isUsable.Value;

    /// <summary>A new tensor for a result, with nothing in it.</summary>
    public static nint Empty(ReadOnlySpan<long> sizes, ReadOnlySpan<long> strides, ScalarType type, long bytes)
    {
        if (bytes >= ResultMemory.Least && IsUsable)
        {
            return Make(sizes, strides, type, bytes);
        }

        var tensor = LibTorchCalls.Empty(sizes, strides, type);
        LargePages.Want(LibTorchCalls.Address(tensor), bytes);
        return tensor;
    }

    private static nint Make(ReadOnlySpan<long> sizes, ReadOnlySpan<long> strides, ScalarType type, long bytes)
    {
        var tensor = LibTorchCalls.Undefined();
        var block = ResultMemory.Take(bytes);
        lock (_lock)
        {
            fixed (long* extents = sizes)
            fixed (long* steps = strides)
            {
                _block = block;
                *_allocator = (nint)_table;
                _make(tensor, extents, sizes.Length, steps, strides.Length, _allocator, CpuKeys, (sbyte)type);

                // Whoever resizes the tensor gets what libtorch's allocator gives, with its exceptions, which must not pass through our function.
                *_allocator = (nint)_defaultTable;
            }
        }

        return tensor;
    }

    private static bool Prepare()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
        {
            return false; // The C++ interface is another one.
        }

        var (get, table, type) = (LibTorch.FindExport("_ZN3c1015GetCPUAllocatorEv"), LibTorch.FindExport("_ZTVN3c1019DefaultCPUAllocatorE"), LibTorch.FindExport("_ZTIN3c1019DefaultCPUAllocatorE"));
        var make = LibTorch.FindExport("_ZN2at6detail21empty_strided_genericEN3c108ArrayRefIlEES3_PNS1_9AllocatorENS1_14DispatchKeySetENS1_10ScalarTypeE");
        if (get == 0 || table == 0 || type == 0 || make == 0)
        {
            return false;
        }

        // An allocator that somebody has put in the place of libtorch's stays there.
        _default = ((delegate* unmanaged<nint>)get)();
        _defaultTable = (nint*)table + 2;
        if (*(nint*)_default != (nint)_defaultTable || _defaultTable[-1] != type)
        {
            return false;
        }

        var ordinary = AllocateOrdinarily(64);
        ((delegate* unmanaged<nint, void>)ordinary.Deleter)(ordinary.Context);
        if (ordinary.Data != ordinary.Context || (ordinary.Device & 0xFFFF) != 0xFF00)
        {
            return false;
        }

        // Never freed: storages hold the allocator for as long as they live.
        var memory = (nint*)NativeMemory.Alloc((Entries + 3) * (nuint)sizeof(nint));
        _allocator = memory;
        _table = memory + 3;
        _pattern = ordinary;
        _make = (delegate* unmanaged<nint, long*, long, long*, long, nint*, ulong, sbyte, nint>)make;
        new Span<nint>(_defaultTable - 2, Entries + 2).CopyTo(new Span<nint>(memory + 1, Entries + 2));
        _table[AllocateEntry] = (nint)(delegate* unmanaged<DataPointer*, nint, nuint, DataPointer*>)&Allocate;

        // On a thread of its own: this one may be recording what is called, or be in the middle of a backward pass.
        var isAsExpected = false;
        var trial = new Thread(() => isAsExpected = IsAsExpected());
        trial.Start();
        trial.Join();
        return isAsExpected;
    }

    /// <summary>Whether a tensor that is made so is like one that libtorch makes, can be computed with, lies where it shall, and gives its memory back.</summary>
    private static bool IsAsExpected()
    {
        long[] sizes = [2, 4, 4, 4, 8], strides = [512, 128, 32, 8, 1]; // of as many dimensions as a TensorImpl has places for: others would hold anything
        nint Ordinary(byte before)
        {
            FillFreed(before);
            return LibTorchCalls.Empty(sizes, strides, ScalarType.Float32);
        }

        FillFreed(0xAA);
        var made = Make(sizes, strides, ScalarType.Float32, 4096);
        var (overZeros, overOnes) = (Ordinary(0), Ordinary(0xFF));
        var (block, differences) = (LibTorchCalls.Address(made), 0);
        for (var i = 0; i < Words; i++)
        {
            // The storage and the counter of changes are objects of their own; and some bits are never set: they are what the memory held before.
            var (word, a, b) = ((*(nint**)made)[i], (*(nint**)overZeros)[i], (*(nint**)overOnes)[i]);
            differences += IsAddress(word) && IsAddress(a) && IsAddress(b) ? word == a ? 0 : 1 : ((word ^ a) & ~(b & ~a)) == 0 ? 0 : Words;
        }

        LibTorchCalls.Delete(overZeros);
        LibTorchCalls.Delete(overOnes);
        if (differences is not (1 or 2))
        {
            return false;
        }

        using (NewDisposeScope())
        {
            using var mode = enable_grad();
            var tensor = Tensor.UnsafeCreateTensor(made);
            try
            {
                tensor.fill_(_two);
                tensor.requires_grad_();
                tensor.mul(tensor).sum().backward();
                if (tensor.grad!.sum().item<float>() != 4096)
                {
                    return false;
                }
            }
            catch (Exception problem) when (problem is ExternalException or InvalidOperationException)
            {
                return false; // The dispatcher does not know it.
            }
        }

        var again = ResultMemory.Take(4096);
        ResultMemory.Give(again);
        ResultMemory.Clear();
        return again == block;
    }

    /// <summary>Leaves memory filled with a byte for the next TensorImpl that this thread makes.</summary>
    private static void FillFreed(byte value)
    {
        var memory = NativeMemory.Alloc(Words * (nuint)sizeof(nint));
        new Span<byte>(memory, Words * sizeof(nint)).Fill(value);
        NativeMemory.Free(memory);
    }

    private static bool IsAddress(nint word) => word > 1 << 20 && word < (nint)1 << 47;

    private static DataPointer AllocateOrdinarily(nuint bytes)
    {
        DataPointer result;
        ((delegate* unmanaged<DataPointer*, nint, nuint, DataPointer*>)_defaultTable[AllocateEntry])(&result, _default, bytes);
        return result;
    }

    [UnmanagedCallersOnly]
    private static DataPointer* Allocate(DataPointer* result, nint self, nuint bytes)
    {
        // Without a block: another thread resizes a result just now.
        *result = _block == 0 ? AllocateOrdinarily(bytes) : _pattern with { Data = _block, Context = _block, Deleter = (nint)(delegate* unmanaged<nint, void>)&Free };
        _block = 0;
        return result;
    }

    [UnmanagedCallersOnly]
    private static void Free(nint block) => ResultMemory.Give(block);

    /// <summary>c10::DataPtr.</summary>
    private record struct DataPointer
    {
        public nint Data;
        public nint Deleter;
        public nint Context;
        public long Device;
    }
}
