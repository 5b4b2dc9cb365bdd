using System.Reflection;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>Indexing: numbers, slices, ellipses and new dimensions are views; tensors gather.</summary>
internal static class IndexLowering
{
    private static readonly FieldInfo _kind = Field("kind");
    private static readonly FieldInfo _start = Field("startIndexOrBoolOrSingle");
    private static readonly FieldInfo _stop = Field("stopIndex");
    private static readonly FieldInfo _step = Field("step");

    /// <summary><c>x[i, j]</c> with numbers.</summary>
    public static IReadOnlyList<Value> Element(LeafCall call) => [Selected(call, call.Arguments)];

    /// <summary><c>x[i, j] = value</c> with numbers.</summary>
    public static IReadOnlyList<Value> SetElement(LeafCall call)
    {
        call.Add("aten::copy_", Selected(call, call.Arguments[..^1]), call.Value(call.Arguments[^1]));
        return [];
    }

    /// <summary><c>x[...]</c>.</summary>
    public static IReadOnlyList<Value>? Read(LeafCall call)
    {
        if (View(call, (TensorIndex[])call.Arguments[0]!) is not var (view, indices))
        {
            return null;
        }

        return [indices is not null ? call.Add("aten::index.Tensor", view, new ValuesArgument([.. indices])) : ReferenceEquals(view, call.Value(call.Self)) ? call.Add("aten::alias", view) : view];
    }

    /// <summary><c>x[...] = value</c>.</summary>
    public static IReadOnlyList<Value>? Write(LeafCall call, bool accumulate)
    {
        var self = call.Value(call.Self);
        if (View(call, (TensorIndex[])call.Arguments[1]!) is not var (view, indices))
        {
            return null;
        }

        var value = call.Value(call.Arguments[0]);
        if (indices is not null)
        {
            call.Add("aten::index_put_", view, new ValuesArgument([.. indices]), value, accumulate);
        }
        else if (value.Type.Shape.Count > view.Type.Shape.Count)
        {
            return null;
        }
        else
        {
            call.Add("aten::copy_", view, value);
        }

        return [self];
    }

    /// <summary><c>x[...] = number</c>.</summary>
    public static IReadOnlyList<Value>? Fill(LeafCall call)
    {
        var self = call.Value(call.Self);
        if (View(call, (TensorIndex[])call.Arguments[1]!) is not var (view, indices) || ArgumentOf.Number(call.Arguments[0]!) is not { } number)
        {
            return null;
        }

        if (indices is null)
        {
            call.Add("aten::fill_.Scalar", view, number);
        }
        else
        {
            var value = call.Add("aten::full", Array.Empty<long>(), number, self.Type.DType, NoArgument.Instance, new DeviceArgument(self.Type.Device));
            call.Add("aten::index_put_", view, new ValuesArgument([.. indices]), value, false);
        }

        return [self];
    }

    private static Value Selected(LeafCall call, object?[] places)
    {
        var view = call.Value(call.Self);
        foreach (var place in places)
        {
            view = call.Add("aten::select.int", view, 0L, (long)place!);
        }

        return view;
    }

    /// <summary>The view, and a tensor or nothing for each of its dimensions, where a mask stands for all that it has; null where an index is of another kind.</summary>
    private static (Value View, Value?[]? Indices)? View(LeafCall call, TensorIndex[] indices)
    {
        var view = call.Value(call.Self);
        var kinds = indices.Select(index => _kind.GetValue(index)!.ToString()).ToArray();
        var taken = indices.Zip(kinds).Sum(entry => entry.Second is "Single" or "Slice" ? 1 : entry.Second == "Tensor" && Template.TensorOf(entry.First) is { } tensor ? Taken(tensor) : 0);
        var gathered = new List<(int Place, Value Index)>();
        var (dimension, hidden) = (0, 0);
        for (var i = 0; i < indices.Length; i++)
        {
            switch (kinds[i])
            {
                case "Ellipsis":
                    dimension += call.Value(call.Self).Type.Shape.Count - taken;
                    break;
                case "None" or "Null":
                    view = call.Add("aten::unsqueeze", view, (long)dimension++);
                    break;
                case "Single":
                    view = call.Add("aten::select.int", view, (long)dimension, (long)_start.GetValue(indices[i])!);
                    break;
                case "Slice":
                    view = Slice(call, view, dimension++, indices[i]);
                    break;
                case "Tensor" when Template.TensorOf(indices[i]) is { } tensor:
                    if (Taken(tensor) == 0)
                    {
                        return null;
                    }

                    gathered.Add((dimension - hidden, call.Value(tensor)));
                    (dimension, hidden) = (dimension + Taken(tensor), hidden + Taken(tensor) - 1);
                    break;
                default:
                    return null;
            }
        }

        if (gathered.Count == 0)
        {
            return (view, null);
        }

        var all = new Value?[gathered[^1].Place + 1];
        gathered.ForEach(entry => all[entry.Place] = entry.Index);
        return (view, all);
    }

    /// <summary>How many dimensions an index is for.</summary>
    private static int Taken(Tensor index) => index.dtype is ScalarType.Bool or ScalarType.Byte ? (int)index.dim() : 1;

    private static Value Slice(LeafCall call, Value view, int dimension, TensorIndex index)
    {
        var (start, stop, step) = ((long?)_start.GetValue(index), (long?)_stop.GetValue(index), (long?)_step.GetValue(index));
        if (start is null or 0 && stop is null && step is null or 1)
        {
            return view;
        }

        Argument Optional(long? number) => number is { } given ? given : NoArgument.Instance;
        return call.Add("aten::slice.Tensor", view, (long)dimension, Optional(start), Optional(stop), step ?? 1);
    }

    private static FieldInfo Field(string name) => typeof(TensorIndex).GetField(name, BindingFlags.Instance | BindingFlags.NonPublic)!;
}
