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
            all.Add(code, (_, f, i) =>
            {
                var place = Place(f.Pop());
                f.Push(place is StackPointer pointer ? pointer.Read(i.Code) : place.Load());
            });
        }

        foreach (var code in Named("Stind"))
        {
            all.Add(code, (_, f, i) => Store(f, i.Code));
        }

        all.Add(ILOpCode.Ldobj, (_, f, _) => f.Push(Place(f.Pop()).Load()));
        all.Add(ILOpCode.Stobj, (_, f, i) => Store(f, i.Code));
        all.Add(ILOpCode.Initobj, (_, f, i) => Place(f.Pop()).Store(StackValue.Default((Type)f.Code.Resolve(i))));
        all.Add(ILOpCode.Cpobj, (_, f, _) =>
        {
            var value = Place(f.Pop()).Load();
            Place(f.Pop()).Store(value);
        });
        all.Add(ILOpCode.Localloc, (_, f, _) => f.Push(StackValue.Address(new StackPointer((int)f.Pop().Int64))));
        all.Add(ILOpCode.Sizeof, (_, f, i) => f.Push(StackValue.Of((int)_sizeOf.MakeGenericMethod((Type)f.Code.Resolve(i)).Invoke(null, null)!)));
    }

    private static void Store(Frame frame, ILOpCode code)
    {
        var value = frame.Pop();
        var place = Place(frame.Pop());
        if (place is StackPointer pointer)
        {
            pointer.Write(code, value);
        }
        else
        {
            place.Store(value);
        }
    }

    private static Location Place(StackValue reference) => reference.Reference switch
    {
        Location place => place,
        null => throw new NullReferenceException(),
        _ => throw new InterpreterException("memory that is reached through a pointer"),
    };
}
