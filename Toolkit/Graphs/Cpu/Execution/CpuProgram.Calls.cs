using static TorchSharp.torch;

namespace Toolkit.Graphs.Cpu;

/// <content>Calls that leave our code.</content>
internal sealed unsafe partial class CpuProgram
{
    private void Call(Step call)
    {
        switch (call)
        {
            case ProductStep product:
                Multiply(product);
                break;
            case DirectStep direct:
                CallDirectly(direct);
                break;
            default:
                FallBack((FallbackStep)call);
                break;
        }
    }

    private void Multiply(ProductStep product)
    {
        var (output, a, b) = (View(product.Output), View(product.A), View(product.B));
        if (product.Bias is { } bias)
        {
            LibTorchCalls.MultiplyAdd(output, View(bias), a, b, product.Beta, product.Alpha);
        }
        else if (product.A.Sizes.Length == 3)
        {
            LibTorchCalls.MultiplyBatch(output, a, b);
        }
        else
        {
            LibTorchCalls.Multiply(output, a, b);
        }
    }

    private void CallDirectly(DirectStep direct)
    {
        var handles = new nint[direct.Inputs.Count];
        for (var i = 0; i < handles.Length; i++)
        {
            handles[i] = View(direct.Inputs[i]);
        }

        Span<nint> results = stackalloc nint[direct.Outputs.Count];
        direct.Call(handles, results);
        for (var i = 0; i < results.Length; i++)
        {
            var (result, output) = (results[i], direct.Outputs[i]);
            if (result == 0)
            {
                Place(output.Buffer, 0); // nobody reads it
                continue;
            }

            if (!LibTorchCalls.HasStrides(result, output.Sizes, output.Strides))
            {
                result = LibTorchCalls.Relaid(result, output.Sizes, output.Strides, output.DType);
            }

            _made.Add((output.Buffer.Slot, result));
            Place(output.Buffer, LibTorchCalls.Address(result));
        }
    }

    private void FallBack(FallbackStep fallback)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var node = fallback.Nodes[0];
        var tensors = new Tensor[fallback.Inputs.Count];
        for (var i = 0; i < tensors.Length; i++)
        {
            tensors[i] = NewTensor(fallback.Inputs[i]);
        }

        var results = fallback.Library is { } own ? own.Call(node.Arguments, tensors) : node.Operator.Evaluate(new(node.Operator, node.Arguments), tensors);
        for (var i = 0; i < results.Length; i++)
        {
            if (!results[i].shape.AsSpan().SequenceEqual(fallback.Sizes[i]))
            {
                throw new GraphException($"{node.Operator.Name} gave the shape {Shape.Create(results[i].shape)} where {Shape.Create(fallback.Sizes[i])} was expected ({node.Origin})");
            }

            var result = LibTorchCalls.HasStrides(results[i].Handle, fallback.Sizes[i], fallback.Strides[i]) ? results[i] : results[i].contiguous();
            var address = LibTorchCalls.Address(result.Handle);
            if (fallback.Inputs.Any(input => Overlaps(input, address)))
            {
                result = result.clone();
                address = LibTorchCalls.Address(result.Handle);
            }

            _kept.Add((fallback.Outputs[i].Slot, result.DetachFromDisposeScope()));
            Place(fallback.Outputs[i], address);
        }
    }

    /// <summary>Whether an address is within what an input lies over: a result there would change with it.</summary>
    private bool Overlaps(Layout input, nint address)
    {
        var size = DataTypes.Size(input.DType);
        var first = _addresses[input.Buffer.Slot] + (nint)(input.Offset * size);
        return address >= first && address < first + (nint)(input.Span * size);
    }

    private Tensor NewTensor(Layout layout) =>
        Tensor.UnsafeCreateTensor(LibTorchCalls.FromMemory(_addresses[layout.Buffer.Slot], layout.Offset, layout.Sizes, layout.Strides, layout.DType));

    /// <summary>A tensor of libtorch's over a layout, kept while the memory stays where it is.</summary>
    private nint View(Layout layout)
    {
        if (!_views.TryGetValue(layout, out var view))
        {
            _views[layout] = view = new(layout);
        }

        return view.At(_addresses[layout.Buffer.Slot]);
    }

    /// <summary>The tensor that a call of this run made, for the caller to keep.</summary>
    public Tensor Take(KernelBuffer buffer)
    {
        if (_made.FindIndex(entry => entry.Slot == buffer.Slot) is >= 0 and var place)
        {
            var handle = _made[place].Tensor;
            _made.RemoveAt(place);
            return Tensor.UnsafeCreateTensor(handle);
        }

        // A handle of the caller's own: the other goes with the run.
        return _kept.Find(entry => entry.Slot == buffer.Slot).Tensor.alias();
    }

    /// <summary>Frees what calls of this run made.</summary>
    public void Release()
    {
        foreach (var (_, tensor) in _kept)
        {
            tensor.Dispose();
        }

        foreach (var (_, tensor) in _made)
        {
            LibTorchCalls.Delete(tensor);
        }

        _kept.Clear();
        _made.Clear();
    }
}
