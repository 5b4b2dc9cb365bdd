namespace Toolkit.Graphs.Cpu;

/// <summary>Reductions over other dimensions than the last: neighbours in the last dimension are reduced side by side, one in each lane of a vector.</summary>
internal sealed partial class LoopEmitter
{
    private const int Together = 4; // vectors side by side: two lines of the cache
    private const long Chunk = 512; // values summed before they are added to the rest: so that rounding does not grow with their number

    /// <summary>Whether more of what is read lies in one piece along the last dimension that is not reduced than along the last that is.</summary>
    private static bool IsBetterByColumns(LoopBody body, long least)
    {
        if (!body.HasReductions || body.Rows == 0 || body.Extents[body.Rows - 1] < least)
        {
            return false;
        }

        int Strided(int dimension) => body.Operands.Count(operand => operand.Buffer is not null && operand.Strides[body.Rows..].Any(stride => stride != 0) && operand.Strides[dimension] is not (0 or 1));
        return Strided(body.Rows - 1) < Strided(body.Extents.Length - 1);
    }

    private KernelCode EmitColumns(List<KernelBuffer> arguments)
    {
        var columns = _body.Extents[_body.Rows - 1];
        var outer = RowCount / columns;
        var most = _isSizeless || columns >= Together * _width ? Together : 1;
        var step = most * _width;
        var blocks = (columns + step - 1) / step;
        _code.Block("for (var unit = begin; unit < end; unit++)", () =>
        {
            if (outer > 1)
            {
                _code.Line(Invariant($"var row = unit / {blocks};"));
            }

            _code.Line(Invariant($"var column = unit{(outer > 1 ? $" % {blocks}" : "")} * {step};"));
            _code.Line(Invariant($"var stop = Math.Min(column + {step}, {columns});"));
            if (most > 1)
            {
                _code.Block(Invariant($"if (column + {step} <= stop)"), () =>
                {
                    Columns(most, null);
                    _code.Line("continue;");
                });
            }

            if (_isSizeless || (columns >= _width && columns % step != 0))
            {
                _code.Block(Invariant($"for (; column + {_width} <= stop; column += {_width})"), () => Columns(1, null));
            }
            else if (most == 1 && columns % step == 0)
            {
                Columns(1, null);
            }

            if (_isSizeless || columns % _width != 0)
            {
                _code.Block("if (column < stop)", () =>
                {
                    _code.Line("var count = stop - column;");
                    Columns(1, "count");
                });
            }
        });
        return Code("Columns", arguments, outer * blocks, _scratch.Count * RowLength * step);
    }

    /// <summary>Everything for some vectors of neighbours.</summary>
    private void Columns(int vectors, string? count)
    {
        RowPointers("row", _body.Rows - 1, "column");
        for (var pass = 0; pass <= Passes; pass++)
        {
            foreach (var e in _live.Where(e => !e.IsFull && !e.IsConstant && e.Reduction is null && e.Level == pass))
            {
                ForEach(vectors, (suffix, v) => _code.Line($"var b{e.Id}{suffix} = {(e.Operand is { } operand ? LoadColumns(operand, v, count) : Text(e, isVector: true, suffix))};"));
            }

            if (pass < Passes)
            {
                ColumnPass(pass, vectors, count);
            }
        }

        foreach (var (output, value, _) in _body.Stores.Where(store => !store.IsFull))
        {
            ForEach(vectors, (suffix, v) => _code.Line(StoreColumns(output, Name(value, isVector: true, suffix), v, count)));
        }
    }

    private void ColumnPass(int pass, int vectors, string? count)
    {
        var reductions = _live.Where(e => e.Reduction is not null && e.Level == pass + 1).ToArray();
        var needed = Needed(pass);
        var isChunked = (_isSizeless || _body.Extents[^1] > 2 * Chunk) && reductions.Any(e => e.Reduction == Reduction.Sum);
        void Begin(string prefix) => Array.ForEach(reductions, e => ForEach(vectors, (suffix, _) => _code.Line($"var {prefix}{e.Id}{suffix} = Spread({Identity(e)});")));
        void Loop(string prefix, string from, string to)
        {
            // The last of the reduced dimensions is a loop like the others here.
            var last = _body.Extents.Length - 1 - _body.Rows;
            _code.Block($"for (var o{last} = {from}; o{last} < {to}; o{last}++)", () =>
            {
                Enter(needed, last + 1);
                ForEach(vectors, (suffix, v) => ColumnStep(pass, needed, reductions, prefix, suffix, v, vectors, count));
                _within.Clear();
            });
        }

        Begin("b");
        Nest(0, _body.Extents.Length - 1 - _body.Rows, () =>
        {
            if (!isChunked)
            {
                Loop("b", "0L", Invariant($"{_body.Extents[^1]}"));
                return;
            }

            _code.Block(Invariant($"for (var chunk = 0L; chunk < {_body.Extents[^1]}; chunk += {Chunk})"), () =>
            {
                Begin("c");
                Loop("c", "chunk", Invariant($"Math.Min(chunk + {Chunk}, {_body.Extents[^1]})"));
                Array.ForEach(reductions, e => ForEach(vectors, (suffix, _) => _code.Line($"b{e.Id}{suffix} = {Combine(e, $"b{e.Id}{suffix}", $"c{e.Id}{suffix}")};")));
            });
        });
    }

    private void ColumnStep(int pass, List<Expression> needed, Expression[] reductions, string prefix, string suffix, int vector, int vectors, string? count)
    {
        foreach (var e in needed)
        {
            var isRead = _keeps && e.Level < pass && IsDear(e);
            var text = isRead ? $"Load({ColumnPlace(e, vector, vectors)})" : e.Operand is { } operand ? LoadColumns(operand, vector, count) : Text(e, isVector: true, suffix);
            _code.Line($"var v{e.Id}{suffix} = {text};");
            if (_kept[pass].Contains(e))
            {
                _code.Line($"Store({ColumnPlace(e, vector, vectors)}, v{e.Id}{suffix});");
            }
        }

        foreach (var e in reductions)
        {
            _code.Line($"{prefix}{e.Id}{suffix} = {Combine(e, $"{prefix}{e.Id}{suffix}", Name(e.Arguments[0], isVector: true, suffix))};");
        }

        foreach (var (output, value, _) in _body.Stores.Where(store => store.IsFull && store.Value.Level == pass))
        {
            _code.Line(StoreColumns(output, Name(value, isVector: true, suffix), vector, count));
        }
    }

    private string ColumnPlace(Expression e, int vector, int vectors)
    {
        var terms = Enumerable.Range(_body.Rows, _body.Extents.Length - _body.Rows)
            .Select(d => Times($"o{d - _body.Rows}", _body.Extents[(d + 1)..].Aggregate((long)vectors * _width, (product, size) => product * size)));
        return Invariant($"(float*)scratch + {(_scratch.IndexOf(e) * RowLength * vectors * _width) + (vector * _width)} + {string.Join(" + ", terms)}");
    }

    private string LoadColumns(LoopOperand operand, int vector, string? count) => operand.Strides[_body.Rows - 1] switch
    {
        0 => $"Spread(Get({Pointer(operand)}, 0))",
        1 => Invariant($"Load({Pointer(operand)} + {vector * _width}{(count is null ? "" : $", {count}")})"),
        var stride => Invariant($"LoadStrided({Pointer(operand)} + {vector * _width * stride}, {stride}, {count ?? Invariant($"{_width}")})"),
    };

    private string StoreColumns(LoopOperand output, string value, int vector, string? count) => output.Strides[_body.Rows - 1] switch
    {
        1 => Invariant($"Store({Pointer(output)} + {vector * _width}, {value}{(count is null ? "" : $", {count}")});"),
        var stride => Invariant($"StoreStrided({Pointer(output)} + {vector * _width * stride}, {stride}, {value}, {count ?? Invariant($"{_width}")});"),
    };

    private static void ForEach(int vectors, Action<string, int> body)
    {
        for (var i = 0; i < vectors; i++)
        {
            body($"_{i}", i);
        }
    }
}
