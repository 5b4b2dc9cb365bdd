namespace Toolkit.Graphs.Cpu;

/// <summary>Writes the C# of kernels that move or turn rows: embeddings, cache writes, rotary embedding.</summary>
internal static class RowEmitter
{
    /// <summary>Rows of a table by their numbers. A number that is out of range is left in <paramref name="status"/>, and row 0 is taken.</summary>
    /// <param name="table">(N, D), rows in one piece.</param>
    /// <param name="numbers">Row numbers, one after another.</param>
    /// <param name="output">(count, D), one after another.</param>
    /// <param name="status">Two numbers: whether one was out of range, and which.</param>
    public static KernelCode Gather(Layout table, Layout numbers, Layout output, KernelBuffer status)
    {
        var (count, width) = (numbers.Sizes.Aggregate(1L, (product, size) => product * size), table.Sizes[1]);
        var type = NumberKinds.Memory(table.DType);
        var code = new CodeWriter();
        code.Line($"var table = ({type}*)a[0] + {table.Offset};");
        code.Line($"var numbers = ({NumberKinds.Memory(numbers.DType)}*)a[1] + {numbers.Offset};");
        code.Line($"var y = ({type}*)a[2] + {output.Offset};");
        code.Block("for (var unit = begin; unit < end; unit++)", () =>
        {
            code.Line("var number = Get(numbers, unit);");
            code.Block($"if ((ulong)number >= {table.Sizes[0]}UL)", () =>
            {
                code.Line("((long*)a[3])[1] = number;");
                code.Line("((long*)a[3])[0] = 1;");
                code.Line("number = 0;");
            });
            code.Line($"new ReadOnlySpan<{type}>(table + number * {table.Strides[0]}, (int){width}).CopyTo(new Span<{type}>(y + unit * {width}, (int){width}));");
        });
        return Kernel(code, "Gather", [table.Buffer, numbers.Buffer, output.Buffer, status], count, 2 * count * width * DataTypes.Size(table.DType), 0);
    }

    /// <summary>Writes slices into a tensor at places that are data: <c>target[.., numbers[i], ..] = source[.., i, ..]</c>.</summary>
    /// <param name="target">What is written; its last dimension is not the one that is numbered.</param>
    /// <param name="dimension">The numbered dimension.</param>
    /// <param name="numbers">(count).</param>
    /// <param name="source">As the target with count in that dimension.</param>
    /// <param name="status">Two numbers: whether one was out of range, and which.</param>
    public static KernelCode Scatter(Layout target, int dimension, Layout numbers, Layout source, KernelBuffer status)
    {
        var type = NumberKinds.Memory(target.DType);
        var code = new CodeWriter();
        code.Line($"var y = ({type}*)a[0] + {target.Offset};");
        code.Line($"var numbers = ({NumberKinds.Memory(numbers.DType)}*)a[1] + {numbers.Offset};");
        code.Line($"var x = ({type}*)a[2] + {source.Offset};");
        var rows = source.Sizes[..^1];
        code.Block("for (var unit = begin; unit < end; unit++)", () =>
        {
            var (from, to) = (new List<string> { "x" }, new List<string> { "y" });
            for (var d = 0; d < rows.Length; d++)
            {
                var inner = rows[(d + 1)..].Aggregate(1L, (product, size) => product * size);
                code.Line($"var i{d} = unit / {inner}{(d == 0 ? "" : $" % {rows[d]}")};");
                from.Add($"i{d} * {source.Strides[d]}");
                to.Add($"{(d == dimension ? "number" : $"i{d}")} * {target.Strides[d]}");
            }

            code.Line($"var number = Get(numbers, i{dimension} * {numbers.Strides[0]});");
            code.Block($"if ((ulong)number >= {target.Sizes[dimension]}UL)", () =>
            {
                code.Line("((long*)a[3])[1] = number;");
                code.Line("((long*)a[3])[0] = 1;");
                code.Line("continue;");
            });
            code.Line($"var from = {string.Join(" + ", from)};");
            code.Line($"var to = {string.Join(" + ", to)};");
            code.Line($"for (var j = 0L; j < {source.Sizes[^1]}; j++) {{ to[j * {target.Strides[^1]}] = from[j * {source.Strides[^1]}]; }}");
        });
        var count = rows.Aggregate(1L, (product, size) => product * size);
        return Kernel(code, "Scatter", [target.Buffer, numbers.Buffer, source.Buffer, status], count, 2 * count * source.Sizes[^1] * DataTypes.Size(target.DType), 0);
    }

    /// <summary>Rotary position embedding (Su et al., 2021), dimension i together with i + R/2; those from R on stay.</summary>
    /// <param name="x">(B, T, H, D), vectors in one piece.</param>
    /// <param name="cos">(B, T, 1, R/2), in one piece along the last.</param>
    /// <param name="sin">Likewise.</param>
    /// <param name="output">(B, T, H, D).</param>
    /// <param name="width">Lanes of a vector.</param>
    public static KernelCode Rotary(Layout x, Layout cos, Layout sin, Layout output, int width)
    {
        var (batch, time, heads, depth, half) = (x.Sizes[0], x.Sizes[1], x.Sizes[2], x.Sizes[3], cos.Sizes[3]);
        var code = new CodeWriter();
        var arguments = new List<KernelBuffer>();
        foreach (var (name, layout) in new[] { ("x", x), ("cos", cos), ("sin", sin), ("y", output) })
        {
            if (!arguments.Contains(layout.Buffer))
            {
                arguments.Add(layout.Buffer);
            }

            code.Line($"var {name} = ({NumberKinds.Memory(layout.DType)}*)a[{arguments.IndexOf(layout.Buffer)}] + {layout.Offset};");
        }

        code.Block("for (var unit = begin; unit < end; unit++)", () =>
        {
            code.Line($"var (b, t) = (unit / {time}, unit % {time});");
            code.Line($"var c = cos + b * {cos.Strides[0]} + t * {cos.Strides[1]};");
            code.Line($"var s = sin + b * {sin.Strides[0]} + t * {sin.Strides[1]};");
            code.Block($"for (var h = 0L; h < {heads}; h++)", () =>
            {
                code.Line($"var from = x + b * {x.Strides[0]} + t * {x.Strides[1]} + h * {x.Strides[2]};");
                code.Line($"var to = y + b * {output.Strides[0]} + t * {output.Strides[1]} + h * {output.Strides[2]};");
                code.Line("var d = 0L;");
                code.Block($"for (; d + {width} <= {half}; d += {width})", () => Turn(code, half, ""));
                if (half % width != 0)
                {
                    code.Block("if (d < " + half + ")", () => Turn(code, half, $", {half % width}"));
                }

                if (depth > 2 * half)
                {
                    code.Line($"for (d = {2 * half}; d < {depth}; d++) {{ Set(to, d, Get(from, d)); }}");
                }
            });
        });
        var elements = batch * time * heads * depth;
        return Kernel(code, "Rotary", arguments, batch * time, 2 * elements * DataTypes.Size(x.DType), 3 * elements);
    }

    private static void Turn(CodeWriter code, long half, string count)
    {
        code.Line($"var (cosine, sine) = (Load(c + d{count}), Load(s + d{count}));");
        code.Line($"var (first, second) = (Load(from + d{count}), Load(from + d + {half}{count}));");
        code.Line($"Store(to + d, first * cosine - second * sine{count});");
        code.Line($"Store(to + d + {half}, second * cosine + first * sine{count});");
    }

    private static KernelCode Kernel(CodeWriter code, string title, IReadOnlyList<KernelBuffer> arguments, long units, long bytes, long flops) => new()
    {
        Body = code.ToString(),
        Title = title,
        Arguments = arguments,
        Units = units,
        Bytes = bytes,
        Flops = flops,
        Nanoseconds = (bytes / 8.0) + (units * 5),
    };
}
