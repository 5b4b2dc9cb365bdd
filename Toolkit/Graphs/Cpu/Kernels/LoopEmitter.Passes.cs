using System.Globalization;

namespace Toolkit.Graphs.Cpu;

internal sealed partial class LoopEmitter
{
    /// <summary>One pass over a row, or over a part of one.</summary>
    private void Pass(int pass, string from, string to, long? length)
    {
        var stage = StageOf(pass);
        if (!_isVector)
        {
            Begin(stage, 1);
            Within(stage.Needed, () => _code.Block($"for (long j = {from}; j < {to}; j++)", () => Step(stage, "", "", null)));
            return;
        }

        var unroll = stage.Reductions.Length > 0 && (length ?? long.MaxValue) >= 8 * _width && stage.Needed.Sum(e => e.Cost) < 12 ? 4 : 1;
        if (stage.Reductions.Any(e => e.Reduction == Reduction.Sum) && IsLong(length))
        {
            Array.ForEach(stage.Reductions, e => _code.Line($"var s{e.Id}{Side} = Spread({Identity(e)});"));
            Within(stage.Needed, () => _code.Block(Invariant($"for (long chunk = {from}; chunk < {to}; chunk += {Chunk * _width})"), () =>
            {
                _code.Line(Invariant($"var end{pass} = Math.Min(chunk + {Chunk * _width}, {to});"));
                Begin(stage, unroll);
                Vectors([stage], "chunk", $"end{pass}", length, unroll);
                Array.ForEach(stage.Reductions, e => _code.Line($"s{e.Id}{Side} = {Combine(e, $"s{e.Id}{Side}", Parts(e, unroll))};"));
            }));
            Array.ForEach(stage.Reductions, e => _code.Line($"var r{e.Id}{Side} = {e.Reduction}(s{e.Id}{Side});"));
            return;
        }

        Begin(stage, unroll);
        Within(stage.Needed, () => Vectors([stage], from, to, length, unroll));
        End(stage, unroll);
    }

    /// <summary>A pass over one of the rows that are in work.</summary>
    /// <param name="Pass">Its number.</param>
    /// <param name="Side">Which row.</param>
    /// <param name="Needed">What it computes or reads, in order.</param>
    /// <param name="Reductions">What it reduces.</param>
    private sealed record Stage(int Pass, int Side, List<Expression> Needed, Expression[] Reductions);

    private Stage StageOf(int pass) => new(pass, _side, Needed(pass), [.. _live.Where(e => e.Reduction is not null && e.Level == pass + 1)]);

    /// <summary>Where reductions begin: as many totals of each as there are steps in one turn of the loop.</summary>
    private void Begin(Stage stage, int unroll)
    {
        foreach (var e in stage.Reductions)
        {
            foreach (var u in Enumerable.Range(0, unroll))
            {
                _code.Line(_isVector ? $"var m{e.Id}{Side}_{u} = Spread({Identity(e)});" : $"var r{e.Id}{Side} = {Identity(e)};");
            }
        }
    }

    private void End(Stage stage, int unroll) => Array.ForEach(stage.Reductions, e => _code.Line($"var r{e.Id}{Side} = {e.Reduction}({Parts(e, unroll)});"));

    private string Parts(Expression e, int unroll) => Enumerable.Range(0, unroll).Select(u => $"m{e.Id}{Side}_{u}").Aggregate((a, b) => Combine(e, a, b));

    /// <summary>Whether so much is added up in a lane that it is done in chunks. Where rows of several dimensions have a short last one, that would cost more than it is worth.</summary>
    private bool IsLong(long? length) => _isSizeless || (RowLength > 2 * Chunk * _width && (length ?? long.MaxValue) >= 16 * _width);

    /// <summary>Vectors one after another along the last dimension, some at a time, then what is left.</summary>
    private void Vectors(Stage[] stages, string from, string to, long? length, int unroll)
    {
        var counter = Invariant($"j{stages[0].Pass}{Side}");
        void Steps(int u, string index, string? count)
        {
            var side = _side;
            foreach (var stage in stages)
            {
                _side = stage.Side;
                Step(stage, $"{Side}_{u}", index, count);
            }

            _side = side;
        }

        _code.Line($"long {counter} = {from};");
        if (unroll > 1)
        {
            _code.Block(Invariant($"for (; {counter} + {unroll * _width} <= {to}; {counter} += {unroll * _width})"), () =>
            {
                for (var u = 0; u < unroll; u++)
                {
                    Steps(u, u == 0 ? counter : Invariant($"{counter} + {u * _width}"), null);
                }
            });
        }

        if (length is null || (unroll == 1 ? length >= _width : length % (unroll * _width) >= _width))
        {
            _code.Block(Invariant($"for (; {counter} + {_width} <= {to}; {counter} += {_width})"), () => Steps(0, counter, null));
        }

        if (length is null || length % _width != 0)
        {
            _code.Block($"if ({counter} < {to})", () =>
            {
                _code.Line($"var count = {to} - {counter};");
                Steps(0, counter, "count");
            });
        }
    }

    /// <summary>A loop for each of the reduced dimensions but the last, with pointers to the place in them.</summary>
    private void Within(List<Expression> needed, Action body)
    {
        var outer = _body.Extents.Length - 1 - _body.Rows;
        Nest(0, outer, () =>
        {
            Enter(needed, outer);
            body();
            _within.Clear();
        });
    }

    private void Nest(int level, int count, Action body)
    {
        if (level == count)
        {
            body();
        }
        else
        {
            _code.Block(Invariant($"for (var o{level} = 0L; o{level} < {_body.Extents[_body.Rows + level]}; o{level}++)"), () => Nest(level + 1, count, body));
        }
    }

    /// <summary>Pointers to the place in the first of the reduced dimensions.</summary>
    private void Enter(List<Expression> needed, int dimensions)
    {
        var (first, strides) = (_body.Rows, Enumerable.Range(_body.Rows, dimensions));
        var operands = needed.Select(e => e.Operand).Concat(_body.Stores.Where(store => store.IsFull).Select(store => (LoopOperand?)store.Output)).OfType<LoopOperand>().Distinct();
        foreach (var operand in operands.Where(operand => operand.Buffer is not null && strides.Any(d => operand.Strides[d] != 0)).ToArray())
        {
            var terms = strides.Where(d => operand.Strides[d] != 0).Select(d => Times($"o{d - first}", operand.Strides[d]));
            _code.Line($"var q{operand.Name} = {Pointer(operand)} + {string.Join(" + ", terms)};");
            _within.Add(operand);
        }
    }

    /// <summary>Place of a value in the scratch of one that is kept for a later pass.</summary>
    private string Place(Expression e, string index)
    {
        var text = index;
        for (var level = _body.Extents.Length - 2 - _body.Rows; level >= 0; level--)
        {
            text += " + " + Times($"o{level}", _body.Extents[(_body.Rows + level + 1)..].Aggregate(1L, (product, size) => product * size));
        }

        return Invariant($"{Scratch} + {_scratch.IndexOf(e) * (RowLength + _width)} + {text}");
    }

    /// <summary>What happens at one place of a row (or at as many as a vector has lanes).</summary>
    private void Step(Stage stage, string suffix, string index, string? count)
    {
        var pass = stage.Pass;
        foreach (var e in stage.Needed)
        {
            var isRead = _keeps && e.Level < pass && IsDear(e);
            var text = (e.Operand ?? Written(e, pass)) is { } operand ? Load(operand, index, count)
                : isRead ? $"Load({Place(e, index)})" : Text(e, _isVector, suffix);
            _code.Line($"var v{e.Id}{suffix} = {text};");
            if (_kept[pass].Contains(e))
            {
                _code.Line($"Store({Place(e, index)}, v{e.Id}{suffix});");
            }
        }

        foreach (var e in stage.Reductions)
        {
            var total = _isVector ? $"m{e.Id}{suffix}" : $"r{e.Id}{Side}";
            var next = Factors(e) is [var x, var y] ? $"Fma({Name(x, _isVector, suffix)}, {Name(y, _isVector, suffix)}, {total})" : Combine(e, total, Name(e.Arguments[0], _isVector, suffix));
            _code.Line($"{total} = {(count is null ? next : $"Select(Lanes({count}), {next}, {total})")};");
        }

        foreach (var (output, value, _) in _body.Stores.Where(store => store.IsFull && store.Value.Level == pass))
        {
            _code.Line(StoreText(output, Name(value, _isVector, suffix), index, count));
        }
    }

    private string Load(LoopOperand operand, string index, string? count)
    {
        var (pointer, stride) = (Pointer(operand), operand.Strides[^1]);
        if (!_isVector)
        {
            return stride == 1 ? $"Get({pointer}, j)" : Invariant($"Get({pointer}, j * {stride})");
        }

        return stride == 1 ? $"Load({pointer} + {index}{(count is null ? "" : $", {count}")})"
            : Invariant($"LoadStrided({pointer} + ({index}) * {stride}, {stride}, {count ?? _width.ToString(CultureInfo.InvariantCulture)})");
    }

    private string StoreText(LoopOperand output, string value, string index, string? count)
    {
        var (pointer, stride) = (Pointer(output), output.Strides[^1]);
        if (!_isVector)
        {
            return stride == 1 ? $"Set({pointer}, j, {value});" : Invariant($"Set({pointer}, j * {stride}, {value});");
        }

        return stride == 1 ? $"Store({pointer} + {index}, {value}{(count is null ? "" : $", {count}")});"
            : Invariant($"StoreStrided({pointer} + ({index}) * {stride}, {stride}, {value}, {count ?? _width.ToString(CultureInfo.InvariantCulture)});");
    }

    private string Text(Expression e, bool isVector, string suffix) =>
        string.Format(CultureInfo.InvariantCulture, e.Template, [.. e.Arguments.Select(argument => (object)Name(argument, isVector, suffix))]);

    private string Name(Expression e, bool isVector, string suffix = "") =>
        isVector ? e.IsFull ? $"v{e.Id}{suffix}" : _isColumns && !e.IsConstant ? $"b{e.Id}{suffix}" : e.IsConstant ? $"b{e.Id}" : $"b{e.Id}{Side}" : e.IsConstant ? e.Template : e.IsFull ? $"v{e.Id}{suffix}" : $"r{e.Id}{Side}";

    private static string Combine(Expression e, string a, string b) => e.Reduction switch
    {
        Reduction.Sum => $"{a} + {b}",
        Reduction.Product => $"{a} * {b}",
        Reduction.Greatest => $"Max({a}, {b})",
        _ => $"Min({a}, {b})",
    };

    private static string Identity(Expression e) => (e.Reduction, e.Kind) switch
    {
        (Reduction.Sum, var kind) => kind switch { NumberKind.Float => "0f", NumberKind.Double => "0d", _ => "0L" },
        (Reduction.Product, var kind) => kind switch { NumberKind.Float => "1f", NumberKind.Double => "1d", _ => "1L" },
        (Reduction.Greatest, var kind) => kind switch { NumberKind.Float => "float.NegativeInfinity", NumberKind.Double => "double.NegativeInfinity", _ => "long.MinValue" },
        (_, var kind) => kind switch { NumberKind.Float => "float.PositiveInfinity", NumberKind.Double => "double.PositiveInfinity", _ => "long.MaxValue" },
    };
}
