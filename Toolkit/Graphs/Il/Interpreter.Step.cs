using System.Reflection.Metadata;

namespace Toolkit.Graphs.Il;

/// <content>Which instruction belongs to which group.</content>
internal sealed partial class Interpreter
{
    private delegate void Handler(Interpreter interpreter, Frame frame, Instruction instruction);

    private static readonly Dictionary<ILOpCode, Handler> _handlers = AllHandlers();

    private static Dictionary<ILOpCode, Handler> AllHandlers()
    {
        var all = new Dictionary<ILOpCode, Handler>();
        foreach (var prefix in (ILOpCode[])[ILOpCode.Nop, ILOpCode.Break, ILOpCode.Volatile, ILOpCode.Readonly, ILOpCode.Tail, ILOpCode.Unaligned])
        {
            all[prefix] = (_, _, _) => { };
        }

        AddVariables(all);
        AddNumbers(all);
        AddBranches(all);
        AddExceptions(all);
        AddFields(all);
        AddArrays(all);
        AddReferences(all);
        AddTypes(all);
        AddCalls(all);
        return all;
    }

    private void Step(Frame frame, Instruction instruction)
    {
        if (instruction.Handler is not Handler handler)
        {
            instruction.Handler = handler = _handlers.TryGetValue(instruction.Code, out var known) ? known : throw new InterpreterException($"the instruction {instruction.Code}");
        }

        handler(this, frame, instruction);
    }
}
