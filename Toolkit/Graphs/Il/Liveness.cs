using System.Reflection;
using System.Reflection.Metadata;
using System.Runtime.CompilerServices;

namespace Toolkit.Graphs.Il;

/// <summary>
/// Which arguments and locals of a method are still read after each instruction, by going backward over its instructions until nothing changes. A variable whose address is taken is
/// read there; whoever holds an address when this is asked must keep what it points to.
/// </summary>
internal sealed class Liveness
{
    private static readonly ConditionalWeakTable<MethodCode, Liveness> _cache = [];

    private readonly MethodCode _code;
    private readonly int _words;
    private readonly ulong[] _before;
    private readonly int[][] _next;

    private Liveness(MethodCode code)
    {
        _code = code;
        _words = (code.Arguments.Length + code.Locals.Length + 63) / 64;
        _before = new ulong[_words * code.Instructions.Length];
        _next = [.. Enumerable.Range(0, code.Instructions.Length).Select(place => Successors(place).Distinct().ToArray())];
        while (Sweep())
        {
        }
    }

    /// <summary>Of a method.</summary>
    public static Liveness Of(MethodCode code) => _cache.GetValue(code, key => new(key));

    /// <summary>Whether an argument is read from an instruction on, or, where that instruction is a call that is under way, after it.</summary>
    public bool IsArgumentLive(int index, int place, bool isUnderWay) => IsLive(index, place, isUnderWay);

    /// <inheritdoc cref="IsArgumentLive"/>
    public bool IsLocalLive(int index, int place, bool isUnderWay) => IsLive(_code.Arguments.Length + index, place, isUnderWay);

    private bool IsLive(int variable, int place, bool isUnderWay) => isUnderWay ? Array.Exists(_next[place], next => Has(next, variable)) : Has(place, variable);

    private bool Has(int place, int variable) => (_before[(place * _words) + (variable / 64)] >> (variable % 64) & 1) != 0;

    private bool Sweep()
    {
        var changed = false;
        for (var place = _code.Instructions.Length - 1; place >= 0; place--)
        {
            var (read, written) = Uses(place);
            for (var word = 0; word < _words; word++)
            {
                var live = 0UL;
                foreach (var next in _next[place])
                {
                    live |= _before[(next * _words) + word];
                }

                live &= ~Bit(written, word);
                live |= Bit(read, word);
                ref var known = ref _before[(place * _words) + word];
                changed |= known != live;
                known = live;
            }
        }

        return changed;
    }

    private static ulong Bit(int variable, int word) => variable >= 0 && variable / 64 == word ? 1UL << (variable % 64) : 0;

    private (int Read, int Written) Uses(int place)
    {
        var instruction = _code.Instructions[place];
        var local = _code.Arguments.Length + instruction.Number;
        switch (instruction.Code)
        {
            case ILOpCode.Ldarg or ILOpCode.Ldarg_s or ILOpCode.Ldarg_0 or ILOpCode.Ldarg_1 or ILOpCode.Ldarg_2 or ILOpCode.Ldarg_3 or ILOpCode.Ldarga or ILOpCode.Ldarga_s:
                return (instruction.Number, -1);
            case ILOpCode.Starg or ILOpCode.Starg_s:
                return (-1, instruction.Number);
            case ILOpCode.Ldloc or ILOpCode.Ldloc_s or ILOpCode.Ldloc_0 or ILOpCode.Ldloc_1 or ILOpCode.Ldloc_2 or ILOpCode.Ldloc_3:
                return (local, -1);
            case ILOpCode.Ldloca or ILOpCode.Ldloca_s:
                return _code.Instructions[place + 1].Code == ILOpCode.Initobj ? (-1, local) : (local, -1);
            case ILOpCode.Stloc or ILOpCode.Stloc_s or ILOpCode.Stloc_0 or ILOpCode.Stloc_1 or ILOpCode.Stloc_2 or ILOpCode.Stloc_3:
                return (-1, local);
            default:
                return (-1, -1);
        }
    }

    private IEnumerable<int> Successors(int place)
    {
        var instruction = _code.Instructions[place];
        switch (instruction.Code)
        {
            case ILOpCode.Br or ILOpCode.Br_s:
                yield return instruction.Number;
                break;
            case ILOpCode.Ret or ILOpCode.Throw or ILOpCode.Rethrow or ILOpCode.Endfilter:
                break;
            case ILOpCode.Leave or ILOpCode.Leave_s:
                foreach (var next in Left(instruction))
                {
                    yield return next;
                }

                break;
            case ILOpCode.Endfinally:
                foreach (var next in AfterCleaning(instruction))
                {
                    yield return next;
                }

                break;
            default:
                if (place + 1 < _code.Instructions.Length)
                {
                    yield return place + 1;
                }

                if (InstructionReader.IsJump(instruction.Code))
                {
                    yield return instruction.Number;
                }

                foreach (var target in instruction.Targets)
                {
                    yield return target;
                }

                break;
        }

        foreach (var clause in _code.Handlers.Where(clause => IsWithin(instruction.Offset, clause.TryOffset, clause.TryLength)))
        {
            yield return _code.PlaceOf(clause.HandlerOffset);
            if (clause.Flags == ExceptionHandlingClauseOptions.Filter)
            {
                yield return _code.PlaceOf(clause.FilterOffset);
            }
        }

        foreach (var clause in _code.Handlers.Where(clause => clause.Flags == ExceptionHandlingClauseOptions.Filter && IsWithin(instruction.Offset, clause.FilterOffset, clause.HandlerOffset - clause.FilterOffset)))
        {
            yield return _code.PlaceOf(clause.HandlerOffset);
        }
    }

    /// <summary>Where a jump out of a region leads: what cleans up, then its target.</summary>
    private IEnumerable<int> Left(Instruction leave)
    {
        var target = _code.Instructions[leave.Number].Offset;
        return _code.Handlers
            .Where(clause => clause.Flags == ExceptionHandlingClauseOptions.Finally && IsWithin(leave.Offset, clause.TryOffset, clause.TryLength) && !IsWithin(target, clause.TryOffset, clause.TryLength))
            .Select(clause => _code.PlaceOf(clause.HandlerOffset))
            .Append(leave.Number);
    }

    /// <summary>After what cleans up comes whatever any jump out of its region leads to.</summary>
    private IEnumerable<int> AfterCleaning(Instruction end) =>
        from clause in _code.Handlers
        where IsWithin(end.Offset, clause.HandlerOffset, clause.HandlerLength)
        from leave in _code.Instructions
        where leave.Code is ILOpCode.Leave or ILOpCode.Leave_s && IsWithin(leave.Offset, clause.TryOffset, clause.TryLength)
        from next in Left(leave)
        select next;

    private static bool IsWithin(int offset, int start, int length) => offset >= start && offset < start + length;
}
