using System.Reflection.Metadata;

namespace Toolkit.Graphs.Il;

/// <content>Arithmetic, comparison and conversion.</content>
internal sealed partial class Interpreter
{
    private static void AddNumbers(Dictionary<ILOpCode, Handler> all)
    {
        ILOpCode[] binary =
        [
            ILOpCode.Add, ILOpCode.Sub, ILOpCode.Mul, ILOpCode.Div, ILOpCode.Div_un, ILOpCode.Rem, ILOpCode.Rem_un, ILOpCode.And, ILOpCode.Or, ILOpCode.Xor,
            ILOpCode.Shl, ILOpCode.Shr, ILOpCode.Shr_un, ILOpCode.Add_ovf, ILOpCode.Add_ovf_un, ILOpCode.Sub_ovf, ILOpCode.Sub_ovf_un, ILOpCode.Mul_ovf,
            ILOpCode.Mul_ovf_un,
        ];
        foreach (var code in binary)
        {
            all.Add(code, (x, f, i) =>
            {
                var (right, left) = (f.Pop(), f.Pop());
                x.Observer.Computing(i.Code, left, right);
                f.Push(Arithmetic.Binary(i.Code, left, right));
            });
        }

        all.Add(ILOpCode.Neg, (_, f, _) => f.Push(Arithmetic.Negate(f.Pop())));
        all.Add(ILOpCode.Not, (_, f, _) => f.Push(Arithmetic.Complement(f.Pop())));
        Compare(ILOpCode.Ceq, Comparison.AreEqual);
        Compare(ILOpCode.Clt, (a, b) => Comparison.IsLess(a, b, false));
        Compare(ILOpCode.Clt_un, (a, b) => Comparison.IsLess(a, b, true));
        Compare(ILOpCode.Cgt, (a, b) => Comparison.IsLess(b, a, false));
        Compare(ILOpCode.Cgt_un, (a, b) => Comparison.IsLess(b, a, true));
        foreach (var code in Enum.GetValues<ILOpCode>().Where(code => code.ToString().StartsWith("Conv_", StringComparison.Ordinal)))
        {
            all.Add(code, (x, f, i) =>
            {
                var value = f.Pop();
                x.Observer.Computing(i.Code, value, default);
                f.Push(Conversion.Convert(i.Code, value));
            });
        }

        void Compare(ILOpCode code, Func<StackValue, StackValue, bool> holds) => all.Add(code, (x, f, i) =>
        {
            var (right, left) = (f.Pop(), f.Pop());
            x.Observer.Computing(i.Code, left, right);
            f.Push(StackValue.Of(holds(left, right)));
        });
    }
}
