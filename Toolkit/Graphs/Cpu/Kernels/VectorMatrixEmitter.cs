namespace Toolkit.Graphs.Cpu;

/// <summary>
/// Writes the C# of a product of few rows with a matrix of weights that lies with one row for each value of the input, (K, N): columns of the result are the lanes of vectors, and each
/// unit goes down its columns once. What follows the product is computed from its results while they are in the first cache.
/// </summary>
internal static class VectorMatrixEmitter
{
    private const int Ahead = 12; // rows that are asked for before they are needed
    private const int CacheLine = 64; // bytes

    /// <summary>The kernel.</summary>
    /// <param name="product">The product.</param>
    /// <param name="x">(M, K), each row in one piece.</param>
    /// <param name="weight">(K, N), each row in one piece.</param>
    /// <param name="loop">What follows: a loop over M rows of N.</param>
    /// <param name="width">Lanes of a vector.</param>
    public static KernelCode Emit(MatrixProduct product, Layout x, Layout weight, LoopBody loop, int width)
    {
        var (rows, columns, depth) = (product.Rows, product.Columns, product.Depth);
        var vectors = rows switch { 1 => 8, 2 => 5, 3 => 4, _ => 3 }; // so that sums, weights and a value of the input fit in 16 registers
        var unit = vectors * width;
        var memory = NumberKinds.Memory(weight.DType);
        var code = new CodeWriter();
        var arguments = new List<KernelBuffer> { weight.Buffer, x.Buffer };
        code.Line($"var weight = ({memory}*)a[0] + {weight.Offset};");
        code.Line($"var input = ({memory}*)a[{arguments.IndexOf(x.Buffer)}] + {x.Offset};");
        code.Line($"var sums = (float*)scratch; // [{rows}][{unit}]");
        var follow = LoopEmitter.Embed(loop, code, width, $"(sums + m * {unit} - first)", arguments);
        code.Block("for (var unit = begin; unit < end; unit++)", () =>
        {
            code.Line($"var first = unit * {unit};");
            code.Line($"var (n, stop) = (first, Math.Min(first + {unit}, {columns}));");
            if (columns >= unit)
            {
                code.Block($"if (n + {unit} <= stop)", () =>
                {
                    Down(code, (int)rows, vectors, depth, weight, x, width, unit, null);
                    code.Line("n = stop;");
                });
            }

            if (columns % unit >= width)
            {
                code.Block($"for (; n + {width} <= stop; n += {width})", () => Down(code, (int)rows, 1, depth, weight, x, width, unit, null));
            }

            if (columns % width != 0)
            {
                code.Block("if (n < stop)", () => Down(code, (int)rows, 1, depth, weight, x, width, unit, "stop - n"));
            }

            code.Block($"for (var m = 0L; m < {rows}; m++)", () => follow("m", "first", "stop"));
        });
        var bytes = ((columns * depth) + (rows * (depth + columns))) * DataTypes.Size(weight.DType);
        return new()
        {
            Body = code.ToString(),
            Title = "VectorMatrix",
            Arguments = arguments,
            Units = (columns + unit - 1) / unit,
            ScratchBytes = rows * unit * sizeof(float),
            Bytes = bytes,
            Flops = 2 * rows * columns * depth,
            Nanoseconds = (bytes / 10.0) + (rows * columns * depth / (4.0 * width)),
        };
    }

    /// <summary>Some columns, for at most four rows of the input at a time.</summary>
    private static void Down(CodeWriter code, int rows, int vectors, long depth, Layout weight, Layout x, int width, int unit, string? count)
    {
        for (var first = 0; first < rows; first += 4)
        {
            var own = Enumerable.Range(first, Math.Min(4, rows - first)).ToArray();
            code.Line("{");
            foreach (var m in own)
            {
                for (var v = 0; v < vectors; v++)
                {
                    code.Line($"    var s{m}_{v} = VF.Zero;");
                }
            }

            code.Line("    var w = weight + n;");
            code.Block($"    for (var k = 0L; k < {depth}; k++, w += {weight.Strides[1]})", () =>
            {
                for (var line = 0; count is null && line < vectors * width * DataTypes.Size(weight.DType); line += CacheLine)
                {
                    code.Line($"Prefetch((byte*)(w + {Ahead * weight.Strides[1]}) + {line});");
                }

                for (var v = 0; v < vectors; v++)
                {
                    code.Line($"var weight{v} = Load(w + {v * width}{(count is null ? "" : $", {count}")});");
                }

                foreach (var m in own)
                {
                    code.Line($"var value{m} = Spread(Get(input, k + {m * x.Strides[0]}));");
                    for (var v = 0; v < vectors; v++)
                    {
                        code.Line($"s{m}_{v} = Fma(weight{v}, value{m}, s{m}_{v});");
                    }
                }
            });
            foreach (var m in own)
            {
                for (var v = 0; v < vectors; v++)
                {
                    code.Line($"    Store(sums + {m * unit} + n - first + {v * width}, s{m}_{v});");
                }
            }

            code.Line("}");
        }
    }
}
