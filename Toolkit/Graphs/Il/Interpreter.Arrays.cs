using System.Reflection.Metadata;

namespace Toolkit.Graphs.Il;

/// <content>Arrays with one dimension; those with more are used through methods.</content>
internal sealed partial class Interpreter
{
    private static void AddArrays(Dictionary<ILOpCode, Handler> all)
    {
        all.Add(ILOpCode.Newarr, (x, f, i) =>
        {
            var number = f.Pop();
            x.Observer.Computing(i.Code, number, default);
            var count = number.Int64;
            var array = Array.CreateInstance((Type)f.Code.Resolve(i), count < 0 ? throw new OverflowException() : count);
            x.Observer.Created(array);
            f.Push(StackValue.Object(array));
        });
        all.Add(ILOpCode.Ldlen, (x, f, _) => f.Push(StackValue.Native(x.ArrayOf(f.Pop()).LongLength)));
        all.Add(ILOpCode.Ldelema, (x, f, _) => f.Push(StackValue.Address(x.Element(f))));
        foreach (var code in Named("Ldelem").Except([ILOpCode.Ldelema]))
        {
            all.Add(code, (x, f, _) => f.Push(x.Element(f).Load()));
        }

        foreach (var code in Named("Stelem"))
        {
            all.Add(code, (x, f, _) =>
            {
                var value = f.Pop();
                x.Element(f).Store(value);
            });
        }
    }

    private static IEnumerable<ILOpCode> Named(string start) => Enum.GetValues<ILOpCode>().Where(code => code.ToString().StartsWith(start, StringComparison.Ordinal));

    private Array ArrayOf(StackValue value)
    {
        var array = (Array)(value.Reference ?? throw new NullReferenceException());
        observer.ReadingElement(array);
        return array;
    }

    private ElementLocation Element(Frame frame)
    {
        var number = frame.Pop();
        observer.Computing(ILOpCode.Ldelema, number, default);
        var index = number.Int64;
        var array = ArrayOf(frame.Pop());
        return (ulong)index < (ulong)array.LongLength ? new(array, index, observer.WritingElement) : throw new IndexOutOfRangeException();
    }
}
