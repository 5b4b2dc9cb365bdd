using System.Reflection;
using System.Reflection.Metadata;
using System.Runtime.ExceptionServices;

namespace Toolkit.Graphs.Il;

/// <content>Throwing, catching, filtering, cleaning up.</content>
internal sealed partial class Interpreter
{
    private static void AddExceptions(Dictionary<ILOpCode, Handler> all)
    {
        all.Add(ILOpCode.Throw, (_, f, _) => throw (Exception)(f.Pop().Reference ?? new NullReferenceException()));
        all.Add(ILOpCode.Rethrow, (_, f, i) => ExceptionDispatchInfo.Throw(Current(f, i)));
        all.Add(ILOpCode.Leave, (x, f, i) => Leave(f, i));
        all.Add(ILOpCode.Leave_s, (x, f, i) => Leave(f, i));
        all.Add(ILOpCode.Endfinally, (_, f, _) => Resume(f));
        all.Add(ILOpCode.Endfilter, (_, f, _) => f.IsDone = true);
    }

    private static bool IsWithin(int offset, int start, int length) => offset >= start && offset < start + length;

    /// <summary>The exception of the innermost handler around an instruction.</summary>
    private static Exception Current(Frame frame, Instruction instruction)
    {
        var clause = frame.Code.Handlers.First(clause => IsWithin(instruction.Offset, clause.HandlerOffset, clause.HandlerLength) && frame.Caught.ContainsKey(clause));
        return frame.Caught[clause];
    }

    /// <summary>Leaves a protected region: what cleans up between here and there runs first.</summary>
    private static void Leave(Frame frame, Instruction instruction)
    {
        var target = frame.Code.Instructions[instruction.Number].Offset;
        var handlers = new Queue<int>(frame.Code.Handlers
            .Where(clause => clause.Flags == ExceptionHandlingClauseOptions.Finally && IsWithin(instruction.Offset, clause.TryOffset, clause.TryLength)
                && !IsWithin(target, clause.TryOffset, clause.TryLength))
            .Select(clause => frame.Code.PlaceOf(clause.HandlerOffset)));
        frame.Unwindings.Push(new(handlers, instruction.Number, null, null));
        Resume(frame);
    }

    /// <summary>The next handler that still has to run, or what comes after the last.</summary>
    private static void Resume(Frame frame)
    {
        frame.Clear();
        var unwinding = frame.Unwindings.Peek();
        if (unwinding.Handlers.TryDequeue(out var place))
        {
            frame.Next = place;
            return;
        }

        frame.Unwindings.Pop();
        if (unwinding.Catch is { } clause)
        {
            frame.Caught[clause] = unwinding.Exception!;
            frame.Push(StackValue.Object(unwinding.Exception));
        }
        else if (unwinding.Exception is { } exception)
        {
            ExceptionDispatchInfo.Throw(exception);
        }

        frame.Next = unwinding.Target;
    }

    /// <summary>Finds the handler of an exception and goes on there; throws it again where there is none.</summary>
    private void Unwind(Frame frame, Exception exception)
    {
        if (exception is InterpreterException limit)
        {
            limit.Position ??= Position(_ => true);
        }

        var offset = frame.Code.Instructions[frame.Place].Offset;
        var cleaning = new Queue<int>();
        foreach (var clause in frame.Code.Handlers.Where(clause => IsWithin(offset, clause.TryOffset, clause.TryLength)))
        {
            if (clause.Flags is ExceptionHandlingClauseOptions.Finally or ExceptionHandlingClauseOptions.Fault)
            {
                cleaning.Enqueue(frame.Code.PlaceOf(clause.HandlerOffset));
            }
            else if (exception is not InterpreterException && Catches(frame, clause, exception))
            {
                frame.Unwindings.Push(new(cleaning, frame.Code.PlaceOf(clause.HandlerOffset), exception, clause));
                Resume(frame);
                frame.Place = frame.Next;
                return;
            }
        }

        if (cleaning.Count == 0)
        {
            ExceptionDispatchInfo.Throw(exception);
        }

        frame.Unwindings.Push(new(cleaning, -1, exception, null));
        Resume(frame);
        frame.Place = frame.Next;
    }

    private bool Catches(Frame frame, ExceptionHandlingClause clause, Exception exception)
    {
        if (clause.Flags == ExceptionHandlingClauseOptions.Clause)
        {
            return clause.CatchType!.IsInstanceOfType(exception);
        }

        var place = frame.Place;
        frame.Clear();
        frame.Push(StackValue.Object(exception));
        frame.Place = frame.Code.PlaceOf(clause.FilterOffset);
        _filters++;
        try
        {
            Run(frame);
            return frame.Pop().IsTrue;
        }
        catch (Exception e) when (e is not InterpreterException)
        {
            return false; // what a filter throws is swallowed
        }
        finally
        {
            _filters--;
            frame.Place = place;
            frame.IsDone = false;
        }
    }
}
