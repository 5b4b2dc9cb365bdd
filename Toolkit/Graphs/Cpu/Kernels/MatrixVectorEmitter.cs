namespace Toolkit.Graphs.Cpu;

/// <summary>
/// Writes the C# of a product of few rows with a matrix of weights that lies row after row (one for each column of the result): every weight is read once, and what follows the product
/// is computed from its results while they are in the first cache. For one or two rows of input memory is the limit, and the weights are read from one end to the other, as processors
/// read ahead best; for more the sums are, and some rows of the matrix are taken at the same time.
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
            var together = rows is 3 or 4 ? 2 : 1;
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

        // Sums that wait for nothing but their own last term: as many as additions are under way at the same time.
        var chains = together * rows <= 2 ? 2 : 1;
        for (var c = 0; c < together; c++)
        {
            code.Line($"var row{c} = weight + (n + {c}) * {stride};");
            for (var m = 0; m < rows; m++)
            {
                code.Line($"VF {string.Join(", ", Enumerable.Range(0, chains).Select(chain => $"s{c}_{m}_{chain} = VF.Zero, t{c}_{m}_{chain} = VF.Zero"))};");
            }
        }

        // Several rows of the matrix are as many places in memory, which the processor reads ahead less well: the next rows are asked for, a line of the cache at a time.
        var unroll = Math.Max(chains, (int)(CacheLine / (step * form.Bytes)));
        code.Line("var k = 0L;");
        code.Block($"for (; k + {unroll * step} <= {depth}; k += {unroll * step})", () =>
        {
            for (var c = 0; c < together && together > 1; c++)
            {
                code.Line($"Prefetch(row{c} + k + {together * stride});");
            }

            for (var u = 0; u < unroll; u++)
            {
                code.Line("{");
                Multiply(code, together, rows, inputStride, width, step, form, u == 0 ? "k" : $"k + {u * step}", u % chains);
                code.Line("}");
            }
        });
        if (unroll > 1 && depth % (unroll * step) >= step)
        {
            code.Block($"for (; k + {step} <= {depth}; k += {step})", () => Multiply(code, together, rows, inputStride, width, step, form, "k", 0));
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
                        code.Line($"s{c}_{m}_0 = Fma(weight{c}, value{m}, s{c}_{m}_0);");
                    }
                }
            });
        }

        for (var c = 0; c < together; c++)
        {
            for (var m = 0; m < rows; m++)
            {
                code.Line($"sums[{m * Block} + n - begin{Group} + {c}] = Sum({string.Join(" + ", Enumerable.Range(0, chains).Select(chain => $"s{c}_{m}_{chain} + t{c}_{m}_{chain}"))});");
            }
        }
    }

    private static void Multiply(CodeWriter code, int together, int rows, long inputStride, int width, int step, WeightForm form, string k, int chain)
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
                code.Line($"s{c}_{m}_{chain} = Fma(weight{c}, value{m}, s{c}_{m}_{chain});");
                if (step > width)
                {
                    code.Line($"t{c}_{m}_{chain} = Fma(weight{c}_, value{m}_, t{c}_{m}_{chain});");
                }
            }
        }
    }
}
