namespace Toolkit.Graphs.Cpu;

/// <summary>
/// Writes the C# of a product of few rows with a matrix of weights that lies row after row (one for each column of the result): every weight is read once, some rows of the matrix at
/// the same time, and what follows the product is computed from its results while they are in the first cache.
/// </summary>
internal static class MatrixVectorEmitter
{
    private const int Group = 8; // columns of a unit
    private const int CacheLine = 64; // bytes
    private const int Block = 64; // columns whose results wait for what follows

    /// <summary>The kernel.</summary>
    /// <param name="product">The product.</param>
    /// <param name="x">(M, K), each row in one piece.</param>
    /// <param name="weight">(N, K), each row in one piece.</param>
    /// <param name="form">How its values lie.</param>
    /// <param name="loop">What follows: a loop over M rows of N.</param>
    /// <param name="width">Lanes of a vector.</param>
    public static KernelCode Emit(MatrixProduct product, Layout x, Layout weight, WeightForm form, LoopBody loop, int width)
    {
        var (rows, columns, depth) = (product.Rows, product.Columns, product.Depth);
        var code = new CodeWriter();
        var arguments = new List<KernelBuffer> { weight.Buffer, x.Buffer };
        code.Line($"var weight = ({form.Memory}*)a[0] + {weight.Offset};");
        code.Line($"var input = ({NumberKinds.Memory(x.DType)}*)a[{arguments.IndexOf(x.Buffer)}] + {x.Offset};");
        code.Line($"var sums = (float*)scratch; // [{rows}][{Block}]");
        var follow = LoopEmitter.Embed(loop, code, width, $"(sums + m * {Block} - begin{Group})", arguments);
        code.Block($"for (long begin{Group} = begin * {Group}; begin{Group} < Math.Min(end * {Group}, {columns}); begin{Group} += {Block})", () =>
        {
            code.Line($"var n = begin{Group};");
            code.Line($"var stop = Math.Min(begin{Group} + {Block}, Math.Min(end * {Group}, {columns}));");
            var together = rows <= 2 ? 4 : rows <= 4 ? 2 : 1;
            if (together > 1)
            {
                code.Block($"for (; n + {together} <= stop; n += {together})", () => Dots(code, together, (int)rows, depth, weight.Strides[0], x.Strides[0], width, form));
            }

            code.Block("for (; n < stop; n++)", () => Dots(code, 1, (int)rows, depth, weight.Strides[0], x.Strides[0], width, form));
            code.Block($"for (var m = 0L; m < {rows}; m++)", () => follow("m", $"begin{Group}", "stop"));
        });
        var bytes = (long)(columns * depth * form.Bytes) + (((rows * depth) + (rows * columns)) * DataTypes.Size(x.DType));
        return new()
        {
            Body = code.ToString(),
            Title = "MatrixVector",
            Arguments = arguments,
            Units = (columns + Group - 1) / Group,
            ScratchBytes = rows * Block * sizeof(float),
            Bytes = bytes,
            Flops = 2 * rows * columns * depth,
            Nanoseconds = (bytes / 12.0) + (rows * columns * depth / (4.0 * width)),
        };
    }

    /// <summary>Some rows of the matrix times all rows of the input.</summary>
    private static void Dots(CodeWriter code, int together, int rows, long depth, long stride, long inputStride, int width, WeightForm form)
    {
        var step = form.Step(width, isSmall: together * rows >= 8);
        for (var c = 0; c < together; c++)
        {
            code.Line($"var row{c} = weight + (n + {c}) * {stride};");
            for (var m = 0; m < rows; m++)
            {
                code.Line($"VF s{c}_{m} = VF.Zero, t{c}_{m} = VF.Zero;");
            }
        }

        // Rows are often as long as a page of memory, where the processor stops reading ahead by itself: the next rows are asked for, a line of the cache at a time.
        var unroll = Math.Max(1, (int)(CacheLine / (step * form.Bytes)));
        code.Line("var k = 0L;");
        code.Block($"for (; k + {unroll * step} <= {depth}; k += {unroll * step})", () =>
        {
            for (var c = 0; c < together; c++)
            {
                code.Line($"Prefetch(row{c} + k + {together * stride});");
            }

            for (var u = 0; u < unroll; u++)
            {
                code.Line("{");
                Multiply(code, together, rows, inputStride, width, step, form, u == 0 ? "k" : $"k + {u * step}");
                code.Line("}");
            }
        });
        if (unroll > 1 && depth % (unroll * step) >= step)
        {
            code.Block($"for (; k + {step} <= {depth}; k += {step})", () => Multiply(code, together, rows, inputStride, width, step, form, "k"));
        }

        if (depth % step != 0)
        {
            code.Block($"for (; k < {depth}; k += {width})", () =>
            {
                code.Line($"var count = Math.Min({width}, {depth} - k);");
                for (var m = 0; m < rows; m++)
                {
                    code.Line($"var value{m} = Load(input + k + {m * inputStride}, count);");
                }

                for (var c = 0; c < together; c++)
                {
                    code.Line($"var weight{c} = Load(row{c} + k, count);");
                    for (var m = 0; m < rows; m++)
                    {
                        code.Line($"s{c}_{m} = Fma(weight{c}, value{m}, s{c}_{m});");
                    }
                }
            });
        }

        for (var c = 0; c < together; c++)
        {
            for (var m = 0; m < rows; m++)
            {
                code.Line($"sums[{m * Block} + n - begin{Group} + {c}] = Sum(s{c}_{m} + t{c}_{m});");
            }
        }
    }

    private static void Multiply(CodeWriter code, int together, int rows, long inputStride, int width, int step, WeightForm form, string k)
    {
        for (var m = 0; m < rows; m++)
        {
            form.Values(code, $"value{m}", $"input + {k}{(m == 0 ? "" : $" + {m * inputStride}")}", width, step);
        }

        for (var c = 0; c < together; c++)
        {
            form.Weights(code, $"weight{c}", $"row{c} + {k}", width, step);
            for (var m = 0; m < rows; m++)
            {
                code.Line($"s{c}_{m} = Fma(weight{c}, value{m}, s{c}_{m});");
                if (step > width)
                {
                    code.Line($"t{c}_{m} = Fma(weight{c}_, value{m}_, t{c}_{m});");
                }
            }
        }
    }
}
