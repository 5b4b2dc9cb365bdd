using static TorchSharp.torch;

namespace Toolkit.Graphs.Cpu;

/// <summary>Writes the C# of a loop: over rows, and within a row as many passes as its reductions need.</summary>
internal sealed partial class LoopEmitter
{
    private const long Block = 4096;
    private const long LongestKept = 8192; // values of a column that may be kept: with its neighbours they shall stay in the second cache
    private readonly LoopBody _body;
    private readonly CodeWriter _code;
    private readonly int _width;
    private readonly List<Expression> _live;
    private readonly HashSet<Expression>[] _kept; // by pass: what is stored in the scratch for later passes
    private readonly List<Expression> _scratch = [];
    private readonly bool _isVector;
    private readonly bool _keeps; // whether what is dear and needed by a later pass is kept for it
    private readonly bool _isSizeless; // whether the text must not depend on extents but in its numbers
    private readonly bool _isColumns; // rows side by side in the lanes of a vector, instead of one after another
    private readonly string _direct; // what the kernel itself has computed, for operands without memory
    private readonly Dictionary<LoopOperand, int> _arguments;
    private int _side; // which of the rows in work is written: by the pass that it is in
    private readonly HashSet<LoopOperand> _within = new(ReferenceEqualityComparer.Instance); // operands with a pointer to the place in the outer reduced dimensions

    private LoopEmitter(LoopBody body, CodeWriter code, int width, string direct, Dictionary<LoopOperand, int> arguments, bool isSizeless)
    {
        _isSizeless = isSizeless;
        (_body, _code, _width, _direct, _arguments, _isVector) = (body, code, width, direct, arguments, body.IsVector);
        _isColumns = _isVector && direct == "" && IsBetterByColumns(body, isSizeless ? 2 : 4);
        _live = Live();
        _kept = [.. Enumerable.Range(0, Passes + 1).Select(_ => new HashSet<Expression>(ReferenceEqualityComparer.Instance))];
        _keeps = _isVector && !(_isColumns && (isSizeless || RowLength > LongestKept));
        if (_keeps)
        {
            Keep();
        }
    }

    private long RowLength => _body.Extents[_body.Rows..].Aggregate(1L, (product, size) => product * size);

    private long RowCount => _body.Extents[.._body.Rows].Aggregate(1L, (product, size) => product * size);

    private int Passes => _live.Where(e => e.IsFull || e.Reduction is not null).Select(e => e.Reduction is null ? e.Level : e.Level - 1)
        .Concat(_body.Stores.Where(store => store.IsFull).Select(store => store.Value.Level)).DefaultIfEmpty(-1).Max() + 1;

    /// <summary>The kernel of a loop.</summary>
    public static KernelCode Emit(LoopBody body, int width, bool isSizeless = false)
    {
        var code = new CodeWriter();
        var arguments = new List<KernelBuffer>();
        var emitter = new LoopEmitter(body, code, width, "", Arguments(body, arguments), isSizeless);
        var (length, rows) = (emitter.RowLength, emitter.RowCount);
        var isBlocked = !body.HasReductions && (isSizeless || length > 2 * Block);
        var blocks = isBlocked ? (length + Block - 1) / Block : 1;
        emitter.Pointers();
        emitter.Constants();
        if (emitter._isColumns)
        {
            return emitter.EmitColumns(arguments);
        }

        if (!isBlocked && emitter.IsPipelined)
        {
            return emitter.EmitPipeline(arguments);
        }

        code.Block("for (var unit = begin; unit < end; unit++)", () =>
        {
            if (isBlocked)
            {
                code.Line(rows == 1 ? "" : $"var row = unit / {blocks};");
                code.Line(Invariant($"var (start, stop) = (unit{(rows == 1 ? "" : $" % {blocks}")} * {Block}, Math.Min(unit{(rows == 1 ? "" : $" % {blocks}")} * {Block} + {Block}, {length}));"));
                emitter.Row("row", "start", "stop", null);
            }
            else
            {
                emitter.Row("unit", "0", Invariant($"{body.Extents[^1]}"), isSizeless ? null : body.Extents[^1]);
            }
        });
        return emitter.Code(body.HasReductions ? "Rows" : "Pointwise", arguments, rows * blocks, emitter._scratch.Count * (length + width));
    }

    /// <summary>Adds to a kernel what a loop does with part of a row that the kernel has just computed.</summary>
    /// <param name="body">The loop; an operand without memory is what was computed.</param>
    /// <param name="code">Where to.</param>
    /// <param name="width">Lanes of a vector.</param>
    /// <param name="direct">Expression for a pointer to what was computed, so that <c>pointer[j]</c> is column j of the row.</param>
    /// <param name="arguments">The kernel's arguments so far; those of the loop are added.</param>
    /// <returns>Writes the row: its number, from, to.</returns>
    public static Action<string, string, string> Embed(LoopBody body, CodeWriter code, int width, string direct, List<KernelBuffer> arguments)
    {
        var emitter = new LoopEmitter(body, code, width, direct, Arguments(body, arguments), isSizeless: false);
        emitter.Pointers();
        emitter.Constants();
        return (row, from, to) => emitter.Row(row, from, to, null);
    }

    private KernelCode Code(string title, List<KernelBuffer> arguments, long units, long scratch)
    {
        var (bytes, flops) = (Bytes(), Flops());
        return new()
        {
            Body = _code.ToString(),
            Title = title,
            Arguments = arguments,
            Units = units,
            ScratchBytes = scratch * sizeof(float),
            Bytes = bytes,
            Flops = flops,
            Nanoseconds = Nanoseconds(bytes, flops),
        };
    }

    private static Dictionary<LoopOperand, int> Arguments(LoopBody body, List<KernelBuffer> arguments)
    {
        var places = new Dictionary<LoopOperand, int>(ReferenceEqualityComparer.Instance);
        foreach (var operand in body.Operands.Where(operand => operand.Buffer is not null))
        {
            var place = arguments.IndexOf(operand.Buffer!);
            if (place < 0)
            {
                place = arguments.Count;
                arguments.Add(operand.Buffer!);
            }

            places[operand] = place;
        }

        return places;
    }

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);

    /// <summary>What the stores need, in order.</summary>
    private List<Expression> Live()
    {
        var live = new HashSet<Expression>(ReferenceEqualityComparer.Instance);
        void Visit(Expression expression)
        {
            if (live.Add(expression))
            {
                Array.ForEach(expression.Arguments, Visit);
            }
        }

        foreach (var store in _body.Stores)
        {
            Visit(store.Value);
        }

        return [.. _body.Expressions.Where(live.Contains)];
    }

    /// <summary>Decides, from the last pass to the first, what costs too much to be computed again.</summary>
    private void Keep()
    {
        for (var pass = Passes - 1; pass > 0; pass--)
        {
            foreach (var kept in Needed(pass).Where(e => e.Level < pass && IsDear(e) && Written(e, pass) is null))
            {
                if (_kept[kept.Level].Add(kept) && !_scratch.Contains(kept))
                {
                    _scratch.Add(kept);
                }
            }
        }
    }

    /// <summary>Where an earlier pass wrote a value that a later one can read again, instead of everything that it is computed from.</summary>
    private LoopOperand? Written(Expression e, int pass) => !_isVector || _isColumns || e.Level >= pass || e.Operand is not null ? null
        : _body.Stores.Where(store => store.IsFull && store.Value == e && store.Output is { DType: ScalarType.Float32, Buffer: not null } && store.Output.Strides[^1] == 1).Select(store => store.Output).FirstOrDefault();

    private static bool IsDear(Expression expression) => expression.IsFull && expression.Operand is null && Total(expression) >= 5;

    private static int Total(Expression expression) => expression.IsFull ? expression.Cost + expression.Arguments.Sum(Total) : 0;

    private IEnumerable<Expression> Roots(int pass) =>
        _live.Where(e => e.Reduction is not null && e.Level == pass + 1).SelectMany(e => Factors(e) is { } factors ? factors : [e.Arguments[0]])
            .Concat(_body.Stores.Where(store => store.IsFull && store.Value.Level == pass).Select(store => store.Value))
            .Concat(_kept[pass]);

    /// <summary>What is multiplied and added up in one instruction; null where that is not what a reduction does.</summary>
    private Expression[]? Factors(Expression reduction) => !_isVector || _isColumns || reduction.Reduction != Reduction.Sum ? null : reduction.Arguments[0] switch
    {
        { Template: "({0} * {0})", Arguments: [var x] } => [x, x],
        { Template: "({0} * {1})", Arguments: [var x, var y] } => [x, y],
        _ => null,
    };

    /// <summary>Full values that a pass computes or reads, in order.</summary>
    private List<Expression> Needed(int pass)
    {
        var needed = new HashSet<Expression>(ReferenceEqualityComparer.Instance);
        void Visit(Expression expression)
        {
            if (!expression.IsFull || !needed.Add(expression) || Written(expression, pass) is not null || (_keeps && expression.Level < pass && IsDear(expression)))
            {
                return;
            }

            Array.ForEach(expression.Arguments, Visit);
        }

        foreach (var root in Roots(pass))
        {
            Visit(root);
        }

        return [.. _live.Where(needed.Contains)];
    }

    private void Pointers()
    {
        foreach (var operand in _body.Operands.Where(operand => operand.Buffer is not null))
        {
            var offset = operand.Offset == 0 ? "" : Invariant($" + {operand.Offset}");
            _code.Line($"var {operand.Name} = ({NumberKinds.Memory(operand.DType)}*)a[{_arguments[operand]}]{offset};");
        }
    }

    private void Constants()
    {
        foreach (var constant in _live.Where(e => e.IsConstant && _isVector))
        {
            _code.Line($"var b{constant.Id} = Spread({constant.Template});");
        }
    }

    /// <summary>Ends the names of what belongs to one of the rows in work.</summary>
    private string Side => _side == 0 ? "" : ((char)('a' + _side)).ToString();

    /// <summary>Everything for one row, or a part of one, pass by pass.</summary>
    private void Row(string row, string from, string to, long? length)
    {
        RowPointers(row, _body.Rows, null);
        var passes = Passes;
        for (var pass = 0; pass < passes; pass++)
        {
            RowValues(pass);
            Pass(pass, from, to, length);
        }

        RowValues(passes);
        RowStores();
    }

    /// <summary>Values of the whole row that are written.</summary>
    private void RowStores()
    {
        foreach (var (output, value, _) in _body.Stores.Where(store => !store.IsFull))
        {
            _code.Line($"Set({Pointer(output)}, 0, {Name(value, isVector: false)});");
        }
    }

    /// <summary>Where the row begins in every operand that has a row dimension.</summary>
    /// <param name="row">Its number.</param>
    /// <param name="dimensions">How many dimensions it counts through.</param>
    /// <param name="column">The place in the next dimension; null for none.</param>
    private void RowPointers(string row, int dimensions, string? column)
    {
        var rows = _body.Extents[..dimensions];
        var used = Enumerable.Range(0, dimensions).Where(d => _body.Operands.Any(operand => operand.Buffer is not null && operand.Strides[d] != 0)).ToArray();
        foreach (var d in used)
        {
            var inner = rows[(d + 1)..].Aggregate(1L, (product, size) => product * size);
            var index = (inner == 1 ? row : Invariant($"{row} / {inner}")) + (d == 0 ? "" : Invariant($" % {rows[d]}"));
            _code.Line($"var i{d}{Side} = {index};");
        }

        foreach (var operand in _body.Operands.Where(operand => operand.Buffer is not null && HasRows(operand)))
        {
            var terms = used.Where(d => operand.Strides[d] != 0).Select(d => Times($"i{d}{Side}", operand.Strides[d]));
            if (column is not null && operand.Strides[dimensions] != 0)
            {
                terms = terms.Append(Times(column, operand.Strides[dimensions]));
            }

            _code.Line($"var p{operand.Name}{Side} = {operand.Name} + {string.Join(" + ", terms)};");
        }
    }

    private bool HasRows(LoopOperand operand) => operand.Strides[.._body.Rows].Any(stride => stride != 0);

    private static string Times(string index, long stride) => stride == 1 ? index : Invariant($"{index} * {stride}");

    private string Pointer(LoopOperand operand) =>
        operand.Buffer is null ? _direct : _within.Contains(operand) ? $"q{operand.Name}" : HasRows(operand) ? $"p{operand.Name}{Side}" : operand.Name;

    /// <summary>Values of the whole row that a pass needs.</summary>
    private void RowValues(int level)
    {
        foreach (var e in _live.Where(e => !e.IsFull && !e.IsConstant && e.Level == level))
        {
            if (e.Reduction is null)
            {
                _code.Line($"var r{e.Id}{Side} = {(e.Operand is { } operand ? $"Get({Pointer(operand)}, 0)" : Text(e, isVector: false, ""))};");
            }

            if (_isVector && (_live.Any(user => user.IsFull && user.Arguments.Contains(e)) || _live.Any(user => user.Reduction is not null && user.Arguments[0] == e)
                || _body.Stores.Any(store => store.IsFull && store.Value == e)))
            {
                _code.Line($"var b{e.Id}{Side} = Spread(r{e.Id}{Side});");
            }
        }
    }

    private long Bytes() => _body.Operands.Where(operand => operand.Buffer is not null).Sum(operand =>
        DataTypes.Size(operand.DType) * _body.Extents.Select((extent, d) => operand.Strides[d] == 0 ? 1 : extent).Aggregate(1L, (product, size) => product * size));

    private long Flops() => (RowLength * RowCount * _live.Count(e => (e.IsFull || e.Reduction is not null) && e.Operand is null && !e.IsConstant)) + (RowCount * _live.Count(e => !e.IsFull && !e.IsConstant && e.Operand is null));

    private double Nanoseconds(long bytes, long flops)
    {
        var instructions = RowLength * RowCount * (_live.Where(e => e.IsFull).Sum(e => e.Cost + 0.5) + 0.5) / (_isVector ? _width : 1);
        return Math.Max(bytes / 12.0, instructions / 4) + (RowCount * 2) + (flops > 0 ? 20 : 10);
    }
}
