using System.Globalization;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Cpu;

/// <summary>
/// Writes the C# of attention for few query positions and many keys (decoding): the query heads of one key-value head are computed together, so that every key and value is read once;
/// keys that no query sees are not read at all.
/// </summary>
internal static class AttentionEmitter
{
    private const int Keys = 64; // keys that stay in the first cache while all queries pass over them

    /// <summary>Whether there is a kernel for these: row-wise vectors, few queries.</summary>
    public static bool Fits(Attending attending, int width) =>
        attending.Q.DType is ScalarType.Float32 or ScalarType.BFloat16 && attending.K.DType == attending.Q.DType && attending.V.DType == attending.Q.DType
        && attending.Q.Sizes[3] % width == 0 && attending.V.Sizes[3] % width == 0 && attending.Q.Sizes[1] <= 8 && attending.K.Sizes[1] > 0
        && attending.Mask?.DType is null or ScalarType.Bool or ScalarType.Float32 or ScalarType.BFloat16;

    /// <summary>The kernel.</summary>
    public static KernelCode Emit(Attending attending, int width)
    {
        var (q, k, v, output) = (attending.Q, attending.K, attending.V, attending.Output);
        var (batch, time, heads, depth) = (q.Sizes[0], q.Sizes[1], q.Sizes[2], q.Sizes[3]);
        var (positions, groups, valueDepth) = (k.Sizes[1], k.Sizes[2], v.Sizes[3]);
        var rows = heads / groups * time; // query rows of one key-value head: (head of the group, position)
        var padded = (positions + width - 1) / width * width;
        var code = new CodeWriter();
        var arguments = new List<KernelBuffer>();
        foreach (var (name, layout) in new[] { ("q", q), ("k", k), ("v", v), ("y", output), ("mask", attending.Mask) })
        {
            if (layout is not null)
            {
                if (!arguments.Contains(layout.Buffer))
                {
                    arguments.Add(layout.Buffer);
                }

                code.Line($"var {name} = ({NumberKinds.Memory(layout.DType)}*)a[{arguments.IndexOf(layout.Buffer)}] + {layout.Offset};");
            }
        }

        code.Line($"var queries = (float*)scratch; // [{rows}][{depth}]");
        code.Line($"var sums = queries + {rows * depth}; // [{rows}][{valueDepth}]");
        code.Line($"var scores = sums + {rows * valueDepth}; // [{rows}][{padded}]");
        code.Block("for (var unit = begin; unit < end; unit++)", () =>
        {
            code.Line($"var (b, g) = (unit / {groups}, unit % {groups});");
            code.Line($"var kg = k + b * {k.Strides[0]} + g * {k.Strides[2]};");
            code.Line($"var vg = v + b * {v.Strides[0]} + g * {v.Strides[2]};");
            code.Line($"var (first, last) = (0L, {positions}L);");
            if (attending.Mask is { } mask)
            {
                Window(code, attending, mask, rows, time, heads / groups);
            }

            Queries(code, attending, rows, time, heads / groups, width);
            Scores(code, attending, rows, time, heads / groups, padded, width);
            Normalize(code, rows, padded, width);
            Values(code, v, rows, valueDepth, padded, width);
            code.Block($"for (var r = 0L; r < {rows}; r++)", () =>
            {
                code.Line($"var to = y + b * {output.Strides[0]} + r % {time} * {output.Strides[1]} + (g * {heads / groups} + r / {time}) * {output.Strides[2]};");
                code.Block($"for (var d = 0L; d < {valueDepth}; d += {width})", () => code.Line($"Store(to + d, V.Load(sums + r * {valueDepth} + d));"));
            });
        });
        var bytes = batch * groups * positions * (depth + valueDepth) * DataTypes.Size(k.DType);
        var flops = 2 * batch * heads * time * positions * (depth + valueDepth);
        return new()
        {
            Body = code.ToString(),
            Title = "Attention",
            Arguments = arguments,
            Units = batch * groups,
            ScratchBytes = rows * (depth + valueDepth + padded) * sizeof(float),
            Bytes = bytes,
            Flops = flops,
            Nanoseconds = Math.Max(bytes / 12.0, flops / (3.0 * width)) + 200,
        };
    }

    /// <summary>The keys from the first to the last that any query sees.</summary>
    private static void Window(CodeWriter code, Attending attending, Layout mask, long rows, long time, long group)
    {
        code.Line($"var mg = mask + b * {mask.Strides[0]} + g * {group} * {mask.Strides[1]};");
        var hidden = attending.Mask!.DType == ScalarType.Bool ? "!Get(mg, {0})" : "Get(mg, {0}) == float.NegativeInfinity";
        foreach (var (condition, index, move) in new[] { ("last - 1 > first", "last - 1", "last--"), ("first + 1 < last", "first", "first++") })
        {
            code.Block($"while ({condition})", () =>
            {
                code.Line("var isSeen = false;");
                var same = (mask.Strides[1] == 0 || group == 1) && (mask.Strides[2] == 0 || time == 1);
                if (same)
                {
                    code.Line($"isSeen = !({string.Format(CultureInfo.InvariantCulture, hidden, $"({index}) * {mask.Strides[3]}")});");
                }
                else
                {
                    code.Block($"for (var r = 0L; r < {rows} && !isSeen; r++)", () =>
                        code.Line($"isSeen = !({string.Format(CultureInfo.InvariantCulture, hidden, $"r / {time} * {mask.Strides[1]} + r % {time} * {mask.Strides[2]} + ({index}) * {mask.Strides[3]}")});"));
                }

                code.Line($"if (isSeen) {{ break; }} else {{ {move}; }}");
            });
        }
    }

    private static void Queries(CodeWriter code, Attending attending, long rows, long time, long group, int width)
    {
        var q = attending.Q;
        code.Line($"var scale = Spread({((float)attending.Scale).ToString("R", CultureInfo.InvariantCulture)}f);");
        code.Block($"for (var r = 0L; r < {rows}; r++)", () =>
        {
            code.Line($"var from = q + b * {q.Strides[0]} + r % {time} * {q.Strides[1]} + (g * {group} + r / {time}) * {q.Strides[2]};");
            code.Block($"for (var d = 0L; d < {q.Sizes[3]}; d += {width})", () => code.Line($"Store(queries + r * {q.Sizes[3]} + d, Load(from + d) * scale);"));
        });
    }

    /// <summary>q·kᵀ, capped and masked.</summary>
    private static void Scores(CodeWriter code, Attending attending, long rows, long time, long group, long padded, int width)
    {
        var (k, depth) = (attending.K, attending.Q.Sizes[3]);
        code.Block($"for (var block = first; block < last; block += {Keys})", () =>
        {
            code.Line($"var stop = Math.Min(block + {Keys}, last);");
            code.Block($"for (var r = 0L; r < {rows}; r++)", () =>
            {
                code.Line($"var query = queries + r * {depth};");
                code.Line("var s = block;");
                code.Block("for (; s + 4 <= stop; s += 4)", () => Dots(code, 4, k.Strides[1], depth, padded, width));
                code.Block("for (; s < stop; s++)", () => Dots(code, 1, k.Strides[1], depth, padded, width));
            });
        });
        if (attending.SoftCap is { } cap)
        {
            var literal = ((float)cap).ToString("R", CultureInfo.InvariantCulture) + "f";
            code.Block($"for (var r = 0L; r < {rows}; r++)", () =>
                code.Block("for (var s = first; s < last; s++)", () => code.Line($"scores[r * {padded} + s] = {literal} * Tanh(scores[r * {padded} + s] / {literal});")));
        }

        if (attending.Mask is { } mask)
        {
            code.Block($"for (var r = 0L; r < {rows}; r++)", () =>
            {
                code.Line($"var mr = mg + r / {time} * {mask.Strides[1]} + r % {time} * {mask.Strides[2]};");
                code.Block("for (var s = first; s < last; s++)", () => code.Line(mask.DType == ScalarType.Bool
                    ? $"if (!Get(mr, s * {mask.Strides[3]})) {{ scores[r * {padded} + s] = float.NegativeInfinity; }}"
                    : $"scores[r * {padded} + s] += Get(mr, s * {mask.Strides[3]});"));
            });
        }

        if (attending.CausalOffset is { } offset && time > 1)
        {
            code.Block($"for (var r = 0L; r < {rows}; r++)", () =>
                code.Block($"for (var s = r % {time} + {offset + 1}; s < last; s++)", () => code.Line($"scores[r * {padded} + s] = float.NegativeInfinity;")));
        }
    }

    private static void Dots(CodeWriter code, int together, long stride, long depth, long padded, int width)
    {
        for (var i = 0; i < together; i++)
        {
            code.Line($"var k{i} = kg + (s + {i}) * {stride};");
            code.Line($"var t{i} = VF.Zero;");
        }

        code.Block($"for (var d = 0L; d < {depth}; d += {width})", () =>
        {
            code.Line("var x = V.Load(query + d);");
            for (var i = 0; i < together; i++)
            {
                code.Line($"t{i} = Fma(Load(k{i} + d), x, t{i});");
            }
        });
        for (var i = 0; i < together; i++)
        {
            code.Line($"scores[r * {padded} + s + {i}] = Sum(t{i});");
        }
    }

    /// <summary>Softmax of every row, in place.</summary>
    private static void Normalize(CodeWriter code, long rows, long padded, int width)
    {
        code.Block($"for (var r = 0L; r < {rows}; r++)", () =>
        {
            code.Line($"var row = scores + r * {padded};");
            code.Line("var (greatest, total) = (float.NegativeInfinity, VF.Zero);");
            code.Line("for (var s = first; s < last; s++) { greatest = Math.Max(greatest, row[s]); }");
            code.Line("var shift = Spread(greatest);");
            code.Line("var i = first;");
            code.Block($"for (; i + {width} <= last; i += {width})", () =>
            {
                code.Line("var e = ExpNegative(V.Load(row + i) - shift);");
                code.Line("total += e;");
                code.Line("Store(row + i, e);");
            });
            code.Block("if (i < last)", () =>
            {
                code.Line("var e = Select(Lanes(last - i), ExpNegative(Load(row + i, last - i) - shift), VF.Zero);");
                code.Line("total += e;");
                code.Line("Store(row + i, e, last - i);");
            });
            code.Line("var factor = 1 / Sum(total);");
            code.Line("for (var s = first; s < last; s++) { row[s] *= factor; }");
        });
    }

    /// <summary>Sums of the values, weighted.</summary>
    private static void Values(CodeWriter code, Layout v, long rows, long depth, long padded, int width)
    {
        code.Line($"new Span<float>(sums, {rows * depth}).Clear();");
        code.Block($"for (var block = first; block < last; block += {Keys})", () =>
        {
            code.Line($"var stop = Math.Min(block + {Keys}, last);");
            code.Block($"for (var r = 0L; r < {rows}; r++)", () =>
            {
                for (var start = 0L; start < depth; start += 8 * width)
                {
                    var vectors = (int)Math.Min(8, (depth - start) / width);
                    code.Line("{");
                    for (var i = 0; i < vectors; i++)
                    {
                        code.Line($"    var t{i} = V.Load(sums + r * {depth} + {start + (i * width)});");
                    }

                    code.Block("    for (var s = block; s < stop; s++)", () =>
                    {
                        code.Line($"var p = Spread(scores[r * {padded} + s]);");
                        code.Line($"var value = vg + s * {v.Strides[1]} + {start};");
                        for (var i = 0; i < vectors; i++)
                        {
                            code.Line($"t{i} = Fma(Load(value + {i * width}), p, t{i});");
                        }
                    });
                    for (var i = 0; i < vectors; i++)
                    {
                        code.Line($"    Store(sums + r * {depth} + {start + (i * width)}, t{i});");
                    }

                    code.Line("}");
                }
            });
        });
    }
}

/// <summary>An attention with everything in the layout (B, T, H, D).</summary>
/// <param name="Q">(B, T, H, D).</param>
/// <param name="K">(B, S, Hkv, D).</param>
/// <param name="V">(B, S, Hkv, Dv).</param>
/// <param name="Output">(B, T, H, Dv).</param>
/// <param name="Mask">(B, H, T, S); null for none.</param>
/// <param name="Scale">Factor of the products.</param>
/// <param name="SoftCap">Cap of the scores; null for none.</param>
/// <param name="CausalOffset">Query t sees the keys up to t + this; null for all.</param>
internal sealed record Attending(Layout Q, Layout K, Layout V, Layout Output, Layout? Mask, double Scale, double? SoftCap, long? CausalOffset);
