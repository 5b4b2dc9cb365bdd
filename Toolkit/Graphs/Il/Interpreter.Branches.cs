using System.Reflection.Metadata;

namespace Toolkit.Graphs.Il;

/// <content>Jumps.</content>
internal sealed partial class Interpreter
{
    private static void AddBranches(Dictionary<ILOpCode, Handler> all)
    {
        Add(ILOpCode.Br, ILOpCode.Br_s, (_, f, i) => f.Next = i.Number);
        Add(ILOpCode.Brtrue, ILOpCode.Brtrue_s, (x, f, i) => f.Next = x.IsTrue(f, i) ? i.Number : f.Next);
        Add(ILOpCode.Brfalse, ILOpCode.Brfalse_s, (x, f, i) => f.Next = x.IsTrue(f, i) ? f.Next : i.Number);
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
        all.Add(ILOpCode.Switch, (x, f, i) =>
        {
            var value = f.Pop();
            x.Observer.Computing(i.Code, value, default);
            var number = (uint)value.Int64;
            f.Next = number < i.Targets.Length ? i.Targets[number] : f.Next;
        });
        all.Add(ILOpCode.Ret, (_, f, _) => f.IsDone = true);

        void Compare(ILOpCode code, ILOpCode near, Func<StackValue, StackValue, bool> holds) => Add(code, near, (x, f, i) =>
        {
            var (right, left) = (f.Pop(), f.Pop());
            x.Observer.Computing(code, left, right);
            f.Next = holds(left, right) ? i.Number : f.Next;
        });

        void Add(ILOpCode code, ILOpCode near, Handler handler)
        {
            all.Add(code, handler);
            all.Add(near, handler);
        }
    }

    private bool IsTrue(Frame frame, Instruction instruction)
    {
        var value = frame.Pop();
        observer.Computing(instruction.Code, value, default);
        return value.IsTrue;
    }
}
