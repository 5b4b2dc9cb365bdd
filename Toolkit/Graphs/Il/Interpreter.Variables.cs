using System.Reflection.Metadata;

namespace Toolkit.Graphs.Il;

/// <content>Arguments, locals, constants and the stack itself.</content>
internal sealed partial class Interpreter
{
    private void Heed(bool isVolatile)
    {
        if (isVolatile)
        {
            observer.ReadingVolatile();
        }
    }

    private static void AddVariables(Dictionary<ILOpCode, Handler> all)
    {
        Add([ILOpCode.Ldarg_0, ILOpCode.Ldarg_1, ILOpCode.Ldarg_2, ILOpCode.Ldarg_3, ILOpCode.Ldarg_s, ILOpCode.Ldarg], (x, f, i) =>
        {
            x.Heed(f.TouchArgument(i.Number, 1));
            f.Push(f.Arguments[i.Number]);
        });
        Add([ILOpCode.Starg_s, ILOpCode.Starg], (_, f, i) =>
        {
            f.TouchArgument(i.Number, 2);
            f.Arguments[i.Number] = f.Pop().As(f.Code.Arguments[i.Number]);
        });
        Add([ILOpCode.Ldarga_s, ILOpCode.Ldarga], (x, f, i) =>
        {
            x.Heed(f.TouchArgument(i.Number, 1));
            f.Push(StackValue.Address(new SlotLocation(f.Arguments, i.Number, f.Code.Arguments[i.Number])));
        });
        Add([ILOpCode.Ldloc_0, ILOpCode.Ldloc_1, ILOpCode.Ldloc_2, ILOpCode.Ldloc_3, ILOpCode.Ldloc_s, ILOpCode.Ldloc], (x, f, i) =>
        {
            x.Heed(f.TouchLocal(i.Number, 1));
            f.Push(f.Locals[i.Number]);
        });
        Add([ILOpCode.Stloc_0, ILOpCode.Stloc_1, ILOpCode.Stloc_2, ILOpCode.Stloc_3, ILOpCode.Stloc_s, ILOpCode.Stloc], (_, f, i) =>
        {
            f.TouchLocal(i.Number, 2);
            f.Locals[i.Number] = f.Pop().As(f.Code.Locals[i.Number]);
        });
        Add([ILOpCode.Ldloca_s, ILOpCode.Ldloca], (x, f, i) =>
        {
            x.Heed(f.TouchLocal(i.Number, 1));
            f.Push(StackValue.Address(new SlotLocation(f.Locals, i.Number, f.Code.Locals[i.Number])));
        });
        Add([ILOpCode.Ldnull], (_, f, _) => f.Push(StackValue.Null));
        Add([ILOpCode.Ldc_i4_m1, ILOpCode.Ldc_i4_0, ILOpCode.Ldc_i4_1, ILOpCode.Ldc_i4_2, ILOpCode.Ldc_i4_3, ILOpCode.Ldc_i4_4, ILOpCode.Ldc_i4_5, ILOpCode.Ldc_i4_6,
            ILOpCode.Ldc_i4_7, ILOpCode.Ldc_i4_8, ILOpCode.Ldc_i4_s, ILOpCode.Ldc_i4], (_, f, i) => f.Push(StackValue.Of(i.Number)));
        Add([ILOpCode.Ldc_i8], (_, f, i) => f.Push(StackValue.Of(i.Integer)));
        Add([ILOpCode.Ldc_r4], (_, f, i) => f.Push(StackValue.Of((float)i.Real)));
        Add([ILOpCode.Ldc_r8], (_, f, i) => f.Push(StackValue.Of(i.Real)));
        Add([ILOpCode.Ldstr], (_, f, i) => f.Push(StackValue.Object(f.Code.Resolve(i))));
        Add([ILOpCode.Dup], (_, f, _) => f.Push(f.Peek()));
        Add([ILOpCode.Pop], (_, f, _) => f.Pop());

        void Add(ILOpCode[] codes, Handler handler) => Array.ForEach(codes, code => all.Add(code, handler));
    }
}
