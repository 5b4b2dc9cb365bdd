using System.Reflection;
using System.Reflection.Metadata;

namespace Toolkit.Graphs.Il;

/// <content>Fields.</content>
internal sealed partial class Interpreter
{
    private static void AddFields(Dictionary<ILOpCode, Handler> all)
    {
        all.Add(ILOpCode.Ldfld, (x, f, i) => f.Push(x.LoadField(f.Pop(), (FieldInfo)f.Code.Resolve(i))));
        all.Add(ILOpCode.Ldsfld, (x, f, i) => f.Push(x.FieldOf(null, (FieldInfo)f.Code.Resolve(i)).Load()));
        all.Add(ILOpCode.Ldflda, (x, f, i) => f.Push(x.FieldAddress(f.Pop(), (FieldInfo)f.Code.Resolve(i))));
        all.Add(ILOpCode.Ldsflda, (x, f, i) => f.Push(StackValue.Address(x.FieldOf(null, (FieldInfo)f.Code.Resolve(i)))));
        all.Add(ILOpCode.Stfld, (x, f, i) =>
        {
            var value = f.Pop();
            x.StoreField(f.Pop(), (FieldInfo)f.Code.Resolve(i), value);
        });
        all.Add(ILOpCode.Stsfld, (x, f, i) => x.FieldOf(null, (FieldInfo)f.Code.Resolve(i)).Store(f.Pop()));
    }

    private FieldLocation FieldOf(object? owner, FieldInfo field) => new(owner, field, observer.Reading, observer.Writing);

    private StackValue LoadField(StackValue owner, FieldInfo field) => owner.Reference switch
    {
        RefStructValue bag => bag[field],
        null when !field.IsStatic => throw new NullReferenceException(),
        _ when owner.Kind == ValueKind.Struct => StackValue.From(field.GetValue(owner.Reference), field.FieldType),
        _ => FieldOf(owner.Reference, field).Load(),
    };

    private StackValue FieldAddress(StackValue owner, FieldInfo field)
    {
        // A value that is only on the stack: nobody else can see it change.
        var place = owner.Kind == ValueKind.Struct ? new SlotLocation([owner], 0, field.DeclaringType!) : owner.Reference;
        return StackValue.Address(FieldOf(place ?? throw new NullReferenceException(), field));
    }

    private void StoreField(StackValue owner, FieldInfo field, StackValue value) =>
        FieldOf(owner.Reference ?? throw new NullReferenceException(), field).Store(value);
}
