using static TorchSharp.torch;

namespace Toolkit.Graphs.Cpu;

/// <summary>
/// Writes the C# of a product of few rows with a matrix of weights that lies row after row (one for each column of the result): every weight is read once, some rows of the matrix at
/// the same time, and what follows the product is computed from its results while they are in the first cache.
/// </summary>
internal static class MatrixVectorEmitter
{
    private const int Group = 8; // columns of a unit
    private const int Block = 64; // columns whose results wait for what follows

    /// <summary>The kernel.</summary>
    /// <param name="product">The product.</param>
    /// <param name="x">(M, K), each row in one piece.</param>
    /// <param name="weight">(N, K), each row in one piece.</param>
    /// <param name="loop">What follows: a loop over M rows of N.</param>
    /// <param name="width">Lanes of a vector.</param>
    public static KernelCode Emit(MatrixProduct product, Layout x, Layout weight, LoopBody loop, int width)
    {
        var (rows, columns, depth) = (product.Rows, product.Columns, product.Depth);
        var isShort = weight.DType == ScalarType.BFloat16;
        var memory = NumberKinds.Memory(weight.DType);
        var code = new CodeWriter();
        var arguments = new List<KernelBuffer> { weight.Buffer, x.Buffer };
        code.Line($"var weight = ({memory}*)a[0] + {weight.Offset};");
        code.Line($"var input = ({memory}*)a[{arguments.IndexOf(x.Buffer)}] + {x.Offset};");
        code.Line($"var sums = (float*)scratch; // [{rows}][{Block}]");
        var follow = LoopEmitter.Embed(loop, code, width, $"(sums + m * {Block} - begin{Group})", arguments);
        code.Block($"for (long begin{Group} = begin * {Group}; begin{Group} < Math.Min(end * {Group}, {columns}); begin{Group} += {Block})", () =>
        {
            code.Line($"var n = begin{Group};");
            code.Line($"var stop = Math.Min(begin{Group} + {Block}, Math.Min(end * {Group}, {columns}));");
            var together = rows <= 2 ? 4 : rows <= 4 ? 2 : 1;
            if (together > 1)
            {
                code.Block($"for (; n + {together} <= stop; n += {together})", () => Dots(code, together, (int)rows, depth, weight.Strides[0], x.Strides[0], width, isShort));
            }

            code.Block("for (; n < stop; n++)", () => Dots(code, 1, (int)rows, depth, weight.Strides[0], x.Strides[0], width, isShort));
            code.Block($"for (var m = 0L; m < {rows}; m++)", () => follow("m", $"begin{Group}", "stop"));
        });
        var bytes = (columns * depth * DataTypes.Size(weight.DType)) + ((rows * depth) + (rows * columns)) * DataTypes.Size(x.DType);
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
    private static void Dots(CodeWriter code, int together, int rows, long depth, long stride, long inputStride, int width, bool isShort)
    {
        var step = isShort ? 2 * width : together * rows >= 8 ? width : 2 * width;
        for (var c = 0; c < together; c++)
        {
            code.Line($"var w{c} = weight + (n + {c}) * {stride};");
            for (var m = 0; m < rows; m++)
            {
                code.Line($"VF s{c}_{m} = VF.Zero, t{c}_{m} = VF.Zero;");
            }
        }

        code.Line("var k = 0L;");
        code.Block($"for (; k + {step} <= {depth}; k += {step})", () =>
        {
            for (var m = 0; m < rows; m++)
            {
                Pair(code, $"a{m}", $"input + k{(m == 0 ? "" : $" + {m * inputStride}")}", width, step, isShort);
            }

            for (var c = 0; c < together; c++)
            {
                Pair(code, $"q{c}", $"w{c} + k", width, step, isShort);
                for (var m = 0; m < rows; m++)
                {
                    code.Line($"s{c}_{m} = Fma(q{c}, a{m}, s{c}_{m});");
                    if (step > width)
                    {
                        code.Line($"t{c}_{m} = Fma(q{c}_, a{m}_, t{c}_{m});");
                    }
                }
            }
        });
        if (depth % step != 0)
        {
            code.Block($"for (; k < {depth}; k += {width})", () =>
            {
                code.Line($"var count = Math.Min({width}, {depth} - k);");
                for (var m = 0; m < rows; m++)
                {
                    code.Line($"var a{m} = Load(input + k + {m * inputStride}, count);");
                }

                for (var c = 0; c < together; c++)
                {
                    code.Line($"var q{c} = Load(w{c} + k, count);");
                    for (var m = 0; m < rows; m++)
                    {
                        code.Line($"s{c}_{m} = Fma(q{c}, a{m}, s{c}_{m});");
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

    /// <summary>Two vectors of floats. Two bfloat16 in one lane are taken apart where they are, even ones first: that is the same order for both factors.</summary>
    private static void Pair(CodeWriter code, string name, string pointer, int width, int step, bool isShort)
    {
        if (isShort)
        {
            code.Line($"var {name}i = V.Load((int*)({pointer}));");
            code.Line($"VF {name} = V.ShiftLeft({name}i, 16).AsSingle(), {name}_ = ({name}i & V.Create(-65536)).AsSingle();");
            return;
        }

        code.Line(step > width ? $"VF {name} = V.Load({pointer}), {name}_ = V.Load({pointer} + {width});" : $"var {name} = V.Load({pointer});");
    }
}
