namespace Toolkit.Graphs.Cpu;

/// <summary>Rows follow one another through the passes, in one loop: while one is in its last pass, a later one is in the pass before, and another in its first.</summary>
/// <remarks>One row after another, memory rests while a row that is already in the cache is summed and scaled, and the processor waits for each sum. In a pipeline every turn of the loop has work of each kind.</remarks>
internal sealed partial class LoopEmitter
{
    private const int Dear = 12; // instructions for a vector in a pass that takes as long as the sums before it: it is begun when they have long been ready
    private const long MostBytesOfLight = 24 << 10; // of all rows in work: what only adds and multiplies is as fast as the first cache
    private const long MostBytesOfDear = 40 << 10; // what computes more waits a little for the second, but not for the third behind it
    private bool _isPipeline;

    private bool IsPipelined => _isVector && !_isSizeless && Passes > 1 && _body.Extents.Length == _body.Rows + 1 && RowLength >= 2 * _width && !IsLong(RowLength)
        && RowCount >= 4 * Lag * Passes && BytesInWork <= (Lag == 1 ? MostBytesOfLight : MostBytesOfDear);

    /// <summary>How many rows a pass is behind the one before.</summary>
    private int Lag => Enumerable.Range(1, Passes - 1).Any(pass => Needed(pass).Sum(e => e.Cost) >= Dear) ? 2 : 1;

    /// <summary>What the rows in work walk through: a row of an operand as often as there are rows between its first use and its last.</summary>
    private long BytesInWork => _scratch.Count * RowLength * sizeof(float) * Lag * Passes
        + Enumerable.Range(0, Passes).SelectMany(pass => Needed(pass).Select(e => e.Operand ?? Written(e, pass)).OfType<LoopOperand>()
                .Concat(_body.Stores.Where(store => store.IsFull && store.Value.Level == pass).Select(store => store.Output)).Select(operand => (Operand: operand, Pass: pass)))
            .Where(use => use.Operand.Strides[^1] != 0).GroupBy(use => use.Operand)
            .Sum(uses => RowLength * DataTypes.Size(uses.Key.DType) * (HasRows(uses.Key) ? 1 + (Lag * (uses.Max(use => use.Pass) - uses.Min(use => use.Pass))) : 1));

    /// <summary>What is kept of a row between passes: in a pipeline each row in work has a place of its own.</summary>
    private string Scratch => _isPipeline ? $"kept{Side}" : "(float*)scratch";

    private KernelCode EmitPipeline(List<KernelBuffer> arguments)
    {
        _isPipeline = true;
        var (last, lag, length) = (Passes - 1, Lag, Invariant($"{RowLength}"));
        var stages = new Stage[Passes];
        ForEachStage(last, pass =>
        {
            stages[pass] = StageOf(pass);
            foreach (var e in Carried(pass))
            {
                _code.Line($"var t{e.Id}{Side} = 0f;");
                _code.Line(lag == 1 ? "" : $"var w{e.Id}{Side} = 0f;");
            }
        });
        _code.Line(Invariant($"// A pipeline: while row step is in its first pass, {string.Join(" and ", Enumerable.Range(1, last).Select(pass => Invariant($"row step - {lag * pass} is in pass {pass + 1}")))}."));
        _code.Block(Invariant($"for (var step = begin; step < end + {lag * last}; step++)"), () =>
        {
            _code.Block(Invariant($"if (step >= begin + {lag * last} && step < end)"), () =>
            {
                ForEachStage(last, Enter);
                ForEachStage(last, Advance);
                ForEachStage(last, pass => Begin(stages[pass], 1));
                _side = last;
                Vectors([.. stages.Reverse()], "0", length, RowLength, 1);
                ForEachStage(last, pass => Leave(stages[pass]));
            });
            _code.Block("else // it fills or empties", () => ForEachStage(last, pass =>
            {
                _code.Block(Invariant($"if (step >= begin + {lag * pass} && step < end + {lag * pass})"), () =>
                {
                    Enter(pass);
                    Begin(stages[pass], 1);
                    Vectors([stages[pass]], "0", length, RowLength, 1);
                    Leave(stages[pass]);
                });
                Advance(pass);
            }));
        });
        return Code("Rows", arguments, RowCount, _scratch.Count * (RowLength + _width) * lag * Passes) with { UnitsOfCall = 8 * lag * last };
    }

    /// <summary>The passes, the last first: it has taken what the one before it then hands on.</summary>
    private void ForEachStage(int last, Action<int> write)
    {
        for (_side = last; _side >= 0; _side--)
        {
            write(_side);
        }

        _side = 0;
    }

    /// <summary>Reductions that earlier passes have made.</summary>
    private IEnumerable<Expression> Carried(int pass) => _live.Where(e => e.Reduction is not null && e.Level <= pass);

    /// <summary>What a pass finds: where its row lies, and what the passes before found out of it.</summary>
    private void Enter(int pass)
    {
        RowPointers(pass == 0 ? "step" : Invariant($"(step - {Lag * pass})"), _body.Rows, null);
        if (_scratch.Count > 0)
        {
            _code.Line(Invariant($"var kept{Side} = (float*)scratch + (step - {Lag * pass}) % {Lag * Passes} * {_scratch.Count * (RowLength + _width)};"));
        }

        foreach (var e in Carried(pass))
        {
            _code.Line($"var r{e.Id}{Side} = t{e.Id}{Side};");
        }

        for (var level = 0; level <= pass; level++)
        {
            RowValues(level);
        }
    }

    /// <summary>Totals that wait for a pass of the row after the next move up, when it has taken its own and before another comes.</summary>
    private void Advance(int pass)
    {
        if (Lag == 2)
        {
            Array.ForEach([.. Carried(pass)], e => _code.Line($"t{e.Id}{Side} = w{e.Id}{Side};"));
        }
    }

    /// <summary>What a pass leaves to the next, or the last one writes.</summary>
    private void Leave(Stage stage)
    {
        End(stage, 1);
        if (stage.Pass == Passes - 1)
        {
            RowValues(Passes);
            RowStores();
            return;
        }

        var from = Side;
        _side++;
        foreach (var e in Carried(stage.Pass + 1))
        {
            _code.Line($"{(Lag == 1 ? "t" : "w")}{e.Id}{Side} = r{e.Id}{from};");
        }

        _side--;
    }
}
