using System.Globalization;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Cpu;

/// <summary>Turns nodes into the body of a loop. A lowering (<see cref="Lowerings"/>) asks it for the arguments of the node at hand and combines them.</summary>
internal sealed class LoopBuilder
{
    private readonly LoopDomain _domain;
    private readonly Func<Value, Layout> _layouts;
    private readonly List<LoopOperand> _operands = [];
    private readonly List<Expression> _expressions = [];
    private readonly Dictionary<Value, Expression> _values = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<string, Expression> _known = [];
    private OperatorCall _call;
    private Shape _shape; // what the node at hand runs over

    private readonly Layout? _product;

    private readonly bool _isSizeless;

    private LoopBuilder(LoopDomain domain, Func<Value, Layout> layouts, Layout? product, bool isSizeless) =>
        (_domain, _layouts, _product, _isSizeless) = (domain, layouts, product, isSizeless);

    /// <summary>The number of values in a row.</summary>
    public long RowLength => _domain.RowLength;

    /// <summary>The body for the nodes of a fused operation.</summary>
    /// <param name="body">The nodes.</param>
    /// <param name="domain">What they run over.</param>
    /// <param name="layouts">Where each input of the body lies.</param>
    /// <param name="outputs">Where each output goes.</param>
    /// <param name="product">Where the bare matrix product in the body lies; null where the kernel itself has just computed it.</param>
    /// <param name="isSizeless">Whether what is computed must be the same for all sizes but for numbers.</param>
    public static LoopBody Build(Graph body, LoopDomain domain, Func<Value, Layout> layouts, IReadOnlyList<Layout> outputs, Layout? product = null, bool isSizeless = false)
    {
        var builder = new LoopBuilder(domain, layouts, product, isSizeless);
        foreach (var node in body.Nodes)
        {
            builder.Lower(node);
        }

        var stores = new List<(LoopOperand, Expression, bool)>();
        for (var i = 0; i < outputs.Count; i++)
        {
            var shape = body.Outputs[i].Type.Shape;
            builder._shape = shape;
            var value = builder.Of(body.Outputs[i], NumberKinds.Of(body.Outputs[i].Type.DType)!.Value);
            var isFull = domain.IsFull(shape);
            stores.Add((builder.Operand(outputs[i], outputs[i].DType, builder.Align(outputs[i], shape), isOutput: true), value, isFull));
        }

        return Collapse(builder, domain, stores);
    }

    /// <summary>A body that copies, with conversion of types.</summary>
    public static LoopBody Copy(Layout from, Layout to)
    {
        var shape = Shape.Create(to.Sizes);
        var builder = new LoopBuilder(new(LoopDomain.Canonical(shape), null), _ => from, null, isSizeless: false) { _shape = shape };
        var source = builder.Load(from, from.DType);
        var target = builder.Operand(to, to.DType, builder.Align(to, shape), isOutput: true);
        return Collapse(builder, builder._domain, [(target, builder.Convert(source, NumberKinds.Of(to.DType)!.Value), true)]);
    }

    /// <summary>The argument of a parameter, as a number of that kind.</summary>
    public Expression Argument(string parameter, NumberKind kind) => _call.Arguments[_call.Operator.IndexOf(parameter)] switch
    {
        ValueArgument argument => Of(argument.Value, kind),
        IntegerArgument argument => Constant(argument.Number, kind),
        FloatArgument argument => Constant(argument.Number, kind),
        BooleanArgument argument => Constant(argument.Flag ? 1 : 0, kind),
        var other => throw new GraphException($"{_call.Operator.Name}: \"{parameter}\" is {other}"),
    };

    /// <summary>The same values in a shape that differs in extents of 1.</summary>
    public Expression Reshaped(Value value)
    {
        _shape = value.Type.Shape;
        return Of(value, NumberKinds.Of(value.Type.DType)!.Value);
    }

    /// <summary>The kind of a parameter's argument.</summary>
    public NumberKind Kind(string parameter) => _call.Arguments[_call.Operator.IndexOf(parameter)] switch
    {
        ValueArgument argument => NumberKinds.Of(argument.Value.Type.DType)!.Value,
        IntegerArgument => NumberKind.Integer,
        FloatArgument => NumberKind.Float,
        _ => NumberKind.Boolean,
    };

    /// <summary>A number.</summary>
    public Expression Constant(double number, NumberKind kind) => Known(Literal(number, kind), [], kind, isFull: false, level: 0, isConstant: true);

    /// <summary>Something computed.</summary>
    public Expression Apply(string template, NumberKind kind, params Expression[] arguments) =>
        Known(template, arguments, kind, arguments.Any(argument => argument.IsFull), arguments.Select(argument => argument.Level).DefaultIfEmpty(0).Max());

    /// <summary>A value divided by a number.</summary>
    public Expression Divide(Expression value, double number)
    {
        // By a power of two to multiply is the same, and several times faster.
        var isExact = !_isSizeless && number > 0 && double.IsPow2(number);
        return Apply(isExact ? "({0} * {1})" : "({0} / {1})", value.Kind, value, Constant(isExact ? 1 / number : number, value.Kind));
    }

    /// <summary>What the values of a row come to together.</summary>
    public Expression Reduce(Reduction reduction, Expression value) => Known($"{reduction}", [value], value.Kind, isFull: false, value.Level + 1, reduction: reduction);

    /// <summary>Another kind of number of the same value.</summary>
    public Expression Convert(Expression value, NumberKind kind)
    {
        if (value.Kind == kind)
        {
            return value;
        }

        return Apply(kind switch { NumberKind.Float => "ToFloat({0})", NumberKind.Double => "ToDouble({0})", NumberKind.Integer => "ToInteger({0})", _ => "IsTrue({0})" }, kind, value);
    }

    /// <summary>A value as a type of fewer bits than it is computed in holds it.</summary>
    public Expression Round(Expression value, ScalarType type) => type switch
    {
        ScalarType.BFloat16 => Apply("RoundToBFloat16({0})", NumberKind.Float, value),
        ScalarType.Float16 => Apply("RoundToHalf({0})", NumberKind.Float, value),
        _ => value,
    };

    private static string Literal(double number, NumberKind kind) => kind switch
    {
        NumberKind.Boolean => number != 0 ? "true" : "false",
        NumberKind.Integer => ((long)number).ToString(CultureInfo.InvariantCulture) + "L",
        NumberKind.Double => double.IsNaN(number) ? "double.NaN" : double.IsPositiveInfinity(number) ? "double.PositiveInfinity" : double.IsNegativeInfinity(number) ? "double.NegativeInfinity"
            : number.ToString("R", CultureInfo.InvariantCulture) + "d",
        _ => float.IsNaN((float)number) ? "float.NaN" : float.IsPositiveInfinity((float)number) ? "float.PositiveInfinity" : float.IsNegativeInfinity((float)number) ? "float.NegativeInfinity"
            : ((float)number).ToString("R", CultureInfo.InvariantCulture) + "f",
    };

    private void Lower(Node node)
    {
        if (MatrixProduct.Find(node) is { } product)
        {
            _shape = node.Output.Type.Shape;
            _values[node.Output] = Product(product);
            return;
        }

        var lowering = Lowerings.Find(node)!;
        _call = new(node.Operator, node.Arguments);
        _shape = Lowerings.LoopShape(node);
        var results = lowering.Lower(this, node);
        for (var i = 0; i < results.Length; i++)
        {
            var type = node.Outputs[i].Type.DType;
            _values[node.Outputs[i]] = Wrap(Convert(results[i], NumberKinds.Of(type)!.Value), type);
        }
    }

    /// <summary><c>alpha·product + beta·bias</c>, where the product itself is there.</summary>
    private Expression Product(MatrixProduct product)
    {
        var value = Convert(Load(_product, _product?.DType ?? ScalarType.Float32), NumberKind.Float);
        value = product.Alpha == 1 ? value : Apply("({0} * {1})", value.Kind, value, Constant(product.Alpha, value.Kind));
        if (product.Bias is null || product.Beta == 0)
        {
            return value;
        }

        var bias = Of(product.Bias, value.Kind);
        return Apply("({0} + {1})", value.Kind, value, product.Beta == 1 ? bias : Apply("({0} * {1})", value.Kind, bias, Constant(product.Beta, value.Kind)));
    }

    /// <summary>Integers of fewer bits run over where their type does.</summary>
    private Expression Wrap(Expression value, ScalarType type) => type switch
    {
        ScalarType.Int32 => Apply("(long)(int){0}", NumberKind.Integer, value),
        ScalarType.Int16 => Apply("(long)(short){0}", NumberKind.Integer, value),
        ScalarType.Int8 => Apply("(long)(sbyte){0}", NumberKind.Integer, value),
        ScalarType.Byte => Apply("(long)(byte){0}", NumberKind.Integer, value),
        _ => value,
    };

    private Expression Of(Value value, NumberKind kind)
    {
        return Convert(_values.TryGetValue(value, out var expression) ? expression : Load(_layouts(value), value.Type.DType), kind);
    }

    private Expression Load(Layout? layout, ScalarType type)
    {
        var strides = layout is null ? [.. _domain.Shape.Select(_ => 1L)] : Align(layout, _shape);
        var operand = Operand(layout, type, strides, isOutput: false);
        return Known($"load {operand.Index}", [], NumberKinds.Of(type)!.Value, strides.Skip(RowCount).Any(stride => stride != 0), 0, operand: operand);
    }

    private int RowCount => _domain.Rows ?? Math.Max(0, _domain.Shape.Count - 1);

    /// <summary>Strides along the loop's dimensions of a tensor that is broadcast to a shape.</summary>
    private long[] Align(Layout layout, Shape shape)
    {
        var strides = new long[_domain.Shape.Count];
        var (axis, isFull, order) = (0, _domain.IsFull(shape), _domain.Order);
        for (var i = 0; i < shape.Count; i++)
        {
            if (shape[i] == 1)
            {
                continue;
            }

            // The dimensions of a row value are the first of the loop.
            var fromEnd = shape.Count - i;
            strides[isFull ? Array.IndexOf(order, axis) : axis] = fromEnd <= layout.Sizes.Length && layout.Sizes[^fromEnd] != 1 ? layout.Strides[^fromEnd] : 0;
            axis++;
        }

        return strides;
    }

    private LoopOperand Operand(Layout? layout, ScalarType type, long[] strides, bool isOutput)
    {
        if (!isOutput && _operands.Find(operand => !operand.IsOutput && operand.Buffer == layout?.Buffer && operand.Offset == (layout?.Offset ?? 0) && operand.Strides.SequenceEqual(strides)) is { } known)
        {
            return known;
        }

        _operands.Add(new() { Index = _operands.Count, Buffer = layout?.Buffer, DType = type, Offset = layout?.Offset ?? 0, Strides = strides, IsOutput = isOutput });
        return _operands[^1];
    }

    private Expression Known(
        string template, Expression[] arguments, NumberKind kind, bool isFull, int level, LoopOperand? operand = null, Reduction? reduction = null, bool isConstant = false)
    {
        var key = $"{template}|{kind}|{string.Join(',', arguments.Select(argument => argument.Id))}";
        if (!_known.TryGetValue(key, out var expression))
        {
            expression = new()
            {
                Id = _expressions.Count,
                Template = template,
                Arguments = arguments,
                Kind = kind,
                IsFull = isFull,
                Level = level,
                Operand = operand,
                Reduction = reduction,
                IsConstant = isConstant,
            };
            _expressions.Add(expression);
            _known[key] = expression;
        }

        return expression;
    }

    /// <summary>Neighbouring dimensions that all operands walk through as one become one.</summary>
    private static LoopBody Collapse(LoopBuilder builder, LoopDomain domain, List<(LoopOperand Output, Expression Value, bool IsFull)> stores)
    {
        var extents = domain.Order.Select(axis => domain.Shape[axis]).ToList();
        var rows = builder.RowCount;
        var isFree = domain.Reduced is null;
        var strides = builder._operands.Select(operand => operand.Strides.ToList()).ToArray();
        for (var d = extents.Count - 2; d >= 0; d--)
        {
            var inOnePart = isFree || d + 1 < rows || d >= rows;
            if (inOnePart && strides.Zip(builder._operands).All(own => own.Second.Buffer is null || own.First[d] == own.First[d + 1] * extents[d + 1]))
            {
                extents[d] *= extents[d + 1];
                extents.RemoveAt(d + 1);
                foreach (var own in strides)
                {
                    own[d] = own[d + 1];
                    own.RemoveAt(d + 1);
                }

                rows -= d < rows ? 1 : 0;
            }
        }

        if (isFree)
        {
            rows = Math.Max(0, extents.Count - 1);
        }

        if (extents.Count == rows)
        {
            extents.Add(1);
            Array.ForEach(strides, own => own.Add(0));
        }

        for (var i = 0; i < strides.Length; i++)
        {
            builder._operands[i].Strides = [.. strides[i]];
        }

        return new() { Extents = [.. extents], Rows = rows, Operands = builder._operands, Expressions = builder._expressions, Stores = stores };
    }
}
