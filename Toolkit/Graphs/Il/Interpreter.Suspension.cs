using System.Reflection;
using System.Reflection.Metadata;

namespace Toolkit.Graphs.Il;

/// <content>Stopping before an instruction, and going on from there with the calls as they stood, in this interpreter or in another.</content>
internal sealed partial class Interpreter
{
    private Frame[]? _suspended;
    private Frame? _caller;
    private int _filters;

    /// <summary>Whether it is on its way out: everything returns, nothing is executed.</summary>
    public bool IsSuspended => _suspended is not null;

    /// <summary>Stops before the instruction that is being executed. What it did so far must bear being done again.</summary>
    /// <returns>False where it cannot stop here, because code that is not interpreted is waiting for an answer.</returns>
    public bool Suspend()
    {
        if (IsSuspended || _filters > 0 || !IsRunning || !_frames.Skip(1).All(frame => frame.IsLinked))
        {
            return false;
        }

        _suspended = [.. _frames];
        _frames[^1].Keep();
        return true;
    }

    /// <summary>The calls as they stood when it stopped, outer ones first; null where it ran to the end.</summary>
    public Frame[]? TakeSuspended()
    {
        var frames = _suspended;
        frames?[^1].Retry();
        _suspended = null;
        return frames;
    }

    /// <summary>Goes on with calls: the innermost first, whose result the next one gets.</summary>
    /// <param name="frames">The calls, outer ones first; all but the last wait for the next one's result.</param>
    /// <returns>What the outermost returns; null where it was stopped again.</returns>
    public object? Resume(Frame[] frames)
    {
        var result = Resume(frames, 0);
        return IsSuspended ? null : result.ToObject(frames[0].Code.Returns);
    }

    private StackValue Resume(Frame[] frames, int level)
    {
        var frame = frames[level];
        _frames.Add(frame);
        try
        {
            observer.Entering(frame.Code.Method, frame.Arguments);
            var isWaiting = level + 1 < frames.Length;
            while (true)
            {
                try
                {
                    if (isWaiting)
                    {
                        isWaiting = false; // if the inner call throws, this one goes on in a handler
                        var result = Resume(frames, level + 1);
                        if (IsSuspended)
                        {
                            return default;
                        }

                        Complete(frame, frames[level + 1], result);
                    }

                    Run(frame);
                    return IsSuspended || frame.Depth == 0 ? StackValue.Null : frame.Pop().As(frame.Code.Returns);
                }
                catch (Exception exception)
                {
                    Unwind(frame, exception);
                }
            }
        }
        finally
        {
            _frames.RemoveAt(_frames.Count - 1);
            observer.Leaving(frame.Code.Method);
        }
    }

    /// <summary>The instruction that made a call is done.</summary>
    private static void Complete(Frame frame, Frame called, StackValue result)
    {
        var instruction = frame.Code.Instructions[frame.Place];
        if (instruction.Code == ILOpCode.Newobj)
        {
            frame.Push(called.Arguments[0]);
        }
        else if (Returned((MethodBase)frame.Code.Resolve(instruction)) != typeof(void))
        {
            frame.Push(result);
        }

        frame.Place++;
    }

    /// <summary>What an intrinsic calls is not called by the instruction, but for a delegate.</summary>
    private bool TryIntrinsic(MethodBase method, StackValue[] arguments, out StackValue result)
    {
        var caller = _caller;
        if (!typeof(Delegate).IsAssignableFrom(method.DeclaringType))
        {
            _caller = null;
        }

        var isOne = Intrinsics.Try(this, method, arguments, out result);
        _caller = isOne ? null : caller;
        return isOne;
    }
}
