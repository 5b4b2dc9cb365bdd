using System.Runtime.InteropServices;
using System.Text;

namespace Toolkit.Graphs.Dispatch;

/// <summary>A text of the GNU C++ library: short ones lie in the structure itself.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeString
{
    /// <summary>The characters.</summary>
    public byte* Data;

    /// <summary>Number of bytes.</summary>
    public long Size;

    private long _local0, _local1;

    /// <summary>Makes a text in place; the memory of a long one is the C allocator's, so that C++ may take it over.</summary>
    public static void Write(NativeString* place, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        place->Data = bytes.Length < 16 ? (byte*)&place->_local0 : (byte*)NativeMemory.Alloc((nuint)bytes.Length + 1);
        place->Size = bytes.Length;
        if (bytes.Length >= 16)
        {
            place->_local0 = bytes.Length;
        }

        bytes.CopyTo(new Span<byte>(place->Data, bytes.Length));
        place->Data[bytes.Length] = 0;
    }

    /// <summary>The text.</summary>
    public static string Read(NativeString* place) => Encoding.UTF8.GetString(place->Data, checked((int)place->Size));

    /// <summary>Gives the memory of a long text back.</summary>
    public static void Free(NativeString* place)
    {
        if (place->Data != (byte*)&place->_local0)
        {
            NativeMemory.Free(place->Data);
        }
    }
}

/// <summary>Which kind of value a <see cref="BoxedValue"/> holds, as libtorch 2.10 numbers them.</summary>
internal enum BoxedTag : uint
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>A tensor.</summary>
    Tensor = 1,

    /// <summary>A real number.</summary>
    Double = 3,

    /// <summary>An integer, also a type of values or a layout.</summary>
    Integer = 5,

    /// <summary>True or false.</summary>
    Boolean = 10,

    /// <summary>A text.</summary>
    Text = 12,

    /// <summary>A list of values.</summary>
    List = 14,

    /// <summary>A device.</summary>
    Device = 18,

    /// <summary>A generator of random numbers.</summary>
    Generator = 26,
}

/// <summary>A value as libtorch's dispatcher passes it (c10::IValue): 16 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal unsafe struct BoxedValue
{
    /// <summary>A tensor's or a list's address, or an integer.</summary>
    [FieldOffset(0)]
    public nint Payload;

    /// <summary>A real number.</summary>
    [FieldOffset(0)]
    public double Number;

    /// <summary>True or false; the kind of a device.</summary>
    [FieldOffset(0)]
    public sbyte Small;

    /// <summary>Number of a device.</summary>
    [FieldOffset(1)]
    public sbyte Index;

    /// <summary>What it is.</summary>
    [FieldOffset(8)]
    public BoxedTag Tag;

    /// <summary>The items of a list.</summary>
    public readonly Span<BoxedValue> Items => ((NativeVector*)(Payload + 16))->Values;

    /// <summary>The text of a text.</summary>
    public readonly string Text => NativeString.Read((NativeString*)(Payload + 16));
}

/// <summary>A C++ vector of boxed values: also the stack that an operator takes its arguments from and leaves its results on.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeVector
{
    /// <summary>The first.</summary>
    public BoxedValue* Begin;

    /// <summary>Behind the last.</summary>
    public BoxedValue* End;

    /// <summary>Behind the memory.</summary>
    public BoxedValue* Capacity;

    /// <summary>The values.</summary>
    public readonly Span<BoxedValue> Values => new(Begin, checked((int)(End - Begin)));
}

/// <summary>An operator of the dispatcher.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct OperatorHandle
{
    /// <summary>What it is: its name and overload (two texts), then its schema.</summary>
    public NativeString* Definition;

    private nint _iterator;

    /// <summary>Name with overload, as in <c>aten::add.Tensor</c>.</summary>
    public readonly string Name => Definition[1].Size > 0 ? $"{NativeString.Read(Definition)}.{NativeString.Read(Definition + 1)}" : NativeString.Read(Definition);

    /// <summary>Address of the schema.</summary>
    public readonly NativeString* Schema => Definition + 2;
}

/// <summary>What a search for an operator gives.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FoundOperator
{
    /// <summary>The operator.</summary>
    public OperatorHandle Handle;

    /// <summary>Not 0 where there is one.</summary>
    public byte Found;
}
