using System.Reflection.Metadata;

namespace Toolkit.Graphs.Il;

/// <content>Jumps.</content>
internal sealed partial class Interpreter
{
    private static void AddBranches(Dictionary<ILOpCode, Handler> all)
    {
        Add(ILOpCode.Br, ILOpCode.Br_s, (_, f, i) => f.Next = i.Number);
        Add(ILOpCode.Brtrue, ILOpCode.Brtrue_s, (_, f, i) => f.Next = f.Pop().IsTrue ? i.Number : f.Next);
        Add(ILOpCode.Brfalse, ILOpCode.Brfalse_s, (_, f, i) => f.Next = f.Pop().IsTrue ? f.Next : i.Number);
        Compare(ILOpCode.Beq, ILOpCode.Beq_s, Comparison.AreEqual);
        Compare(ILOpCode.Bne_un, ILOpCode.Bne_un_s, (a, b) => !Comparison.AreEqual(a, b));
        Compare(ILOpCode.Blt, ILOpCode.Blt_s, (a, b) => Comparison.IsLess(a, b, false));
        Compare(ILOpCode.Blt_un, ILOpCode.Blt_un_s, (a, b) => Comparison.IsLess(a, b, true));
        Compare(ILOpCode.Bgt, ILOpCode.Bgt_s, (a, b) => Comparison.IsLess(b, a, false));
        Compare(ILOpCode.Bgt_un, ILOpCode.Bgt_un_s, (a, b) => Comparison.IsLess(b, a, true));
        Compare(ILOpCode.Bge, ILOpCode.Bge_s, (a, b) => Comparison.IsAtLeast(a, b, false));
        Compare(ILOpCode.Bge_un, ILOpCode.Bge_un_s, (a, b) => Comparison.IsAtLeast(a, b, true));
        Compare(ILOpCode.Ble, ILOpCode.Ble_s, (a, b) => Comparison.IsAtLeast(b, a, false));
        Compare(ILOpCode.Ble_un, ILOpCode.Ble_un_s, (a, b) => Comparison.IsAtLeast(b, a, true));
        all.Add(ILOpCode.Switch, (_, f, i) =>
        {
            var number = (uint)f.Pop().Int64;
            f.Next = number < i.Targets.Length ? i.Targets[number] : f.Next;
        });
        all.Add(ILOpCode.Ret, (_, f, _) => f.IsDone = true);

        void Compare(ILOpCode code, ILOpCode near, Func<StackValue, StackValue, bool> holds) => Add(code, near, (_, f, i) =>
        {
            var right = f.Pop();
            f.Next = holds(f.Pop(), right) ? i.Number : f.Next;
        });

        void Add(ILOpCode code, ILOpCode near, Handler handler)
        {
            all.Add(code, handler);
            all.Add(near, handler);
        }
    }
}
