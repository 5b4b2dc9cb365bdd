using System.Reflection;
using System.Reflection.Metadata;

namespace Toolkit.Graphs.Il;

/// <content>What managed references point to.</content>
internal sealed partial class Interpreter
{
    private static readonly MethodInfo _sizeOf = typeof(System.Runtime.CompilerServices.Unsafe).GetMethod("SizeOf")!;

    private static void AddReferences(Dictionary<ILOpCode, Handler> all)
    {
        foreach (var code in Named("Ldind"))
        {
            var kind = Width(code);
            all.Add(code, (_, f, _) => f.Push(Load(f.Pop(), kind)));
        }

        foreach (var code in Named("Stind"))
        {
            var kind = Width(code);
            all.Add(code, (_, f, _) => Store(f, kind));
        }

        all.Add(ILOpCode.Ldobj, (_, f, i) => f.Push(Load(f.Pop(), Storage.Of((Type)f.Code.Resolve(i)))));
        all.Add(ILOpCode.Stobj, (_, f, i) => Store(f, Storage.Of((Type)f.Code.Resolve(i))));
        all.Add(ILOpCode.Initobj, (_, f, i) => Place(f.Pop()).Store(StackValue.Default((Type)f.Code.Resolve(i))));
        all.Add(ILOpCode.Cpobj, (_, f, _) =>
        {
            var value = Place(f.Pop()).Load();
            Place(f.Pop()).Store(value);
        });
        all.Add(ILOpCode.Localloc, (_, f, _) => f.Push(StackValue.Address(new StackPointer(new StackMemory((int)f.Pop().Int64), 0))));
        all.Add(ILOpCode.Sizeof, (_, f, i) => f.Push(StackValue.Of((int)_sizeOf.MakeGenericMethod((Type)f.Code.Resolve(i)).Invoke(null, null)!)));
    }

    private static StackValue Load(StackValue place, StorageKind kind) =>
        place.Reference is StackPointer pointer ? pointer.Memory.Read(pointer.Offset, kind) : Place(place).Load();

    private static void Store(Frame frame, StorageKind kind)
    {
        var value = frame.Pop();
        var place = frame.Pop();
        if (place.Reference is StackPointer pointer)
        {
            pointer.Memory.Write(pointer.Offset, kind, value);
        }
        else
        {
            Place(place).Store(value);
        }
    }

    /// <summary>What an instruction reads or writes through a reference.</summary>
    private static StorageKind Width(ILOpCode code) => code switch
    {
        ILOpCode.Ldind_i1 or ILOpCode.Stind_i1 => StorageKind.SByte,
        ILOpCode.Ldind_u1 => StorageKind.Byte,
        ILOpCode.Ldind_i2 or ILOpCode.Stind_i2 => StorageKind.Int16,
        ILOpCode.Ldind_u2 => StorageKind.UInt16,
        ILOpCode.Ldind_i4 or ILOpCode.Stind_i4 => StorageKind.Int32,
        ILOpCode.Ldind_u4 => StorageKind.UInt32,
        ILOpCode.Ldind_i8 or ILOpCode.Stind_i8 => StorageKind.Int64,
        ILOpCode.Ldind_i or ILOpCode.Stind_i => StorageKind.NativeInt,
        ILOpCode.Ldind_r4 or ILOpCode.Stind_r4 => StorageKind.Single,
        ILOpCode.Ldind_r8 or ILOpCode.Stind_r8 => StorageKind.Double,
        _ => StorageKind.Reference,
    };

    private static Location Place(StackValue reference) => reference.Reference switch
    {
        Location place => place,
        null when reference.Kind == ValueKind.NativeInt && reference.Int64 != 0 => throw new InterpreterException("memory that is reached through a pointer"),
        null => throw new NullReferenceException(),
        _ => throw new InterpreterException("memory that is reached through a pointer"),
    };
}
