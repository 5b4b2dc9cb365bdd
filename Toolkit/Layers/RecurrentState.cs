using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>One kind of number that every layer of a recurrent model keeps.</summary>
/// <param name="Shape">Its shape in one sequence.</param>
/// <param name="IsWide">Whether it is float32 whatever the type of the model.</param>
/// <param name="Start">What it is before the first position, for every index of its first dimension; null for zeros.</param>
public sealed record StateSlot(IReadOnlyList<long> Shape, bool IsWide, IReadOnlyList<float>? Start = null);

/// <summary>The state of a recurrent model: as large after a million positions as after one.</summary>
public sealed class RecurrentState : DecodeState
{
    private readonly IReadOnlyList<StateSlot> _slots;
    private readonly Tensor[][] _tensors; // by layer and slot: (B, ...)

    /// <summary>The state before the first position.</summary>
    public RecurrentState(int layers, int batch, int capacity, IReadOnlyList<StateSlot> slots, ScalarType dtype = ScalarType.Float32, Device? device = null)
        : base(batch, capacity)
    {
        _slots = slots;
        _tensors = [.. Enumerable.Range(0, layers).Select(_ => slots.Select(slot => empty([batch, .. slot.Shape], slot.IsWide ? ScalarType.Float32 : dtype, device).DetachFromDisposeScope()).ToArray())];
        Clear();
    }

    /// <inheritdoc/>
    public override long Bytes => _tensors.Sum(layer => layer.Sum(tensor => tensor.numel() * tensor.ElementSize));

    /// <summary>The tensor of a layer and slot, (B, ...), to be overwritten in place.</summary>
    public Tensor this[int layer, int slot] => _tensors[layer][slot];

    /// <summary>All of it, at any length.</summary>
    public override double BytesAt(int length) => Bytes;

    /// <inheritdoc/>
    protected override void Clear()
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        foreach (var layer in _tensors)
        {
            foreach (var (slot, tensor) in _slots.Zip(layer))
            {
                tensor.zero_();
                for (var i = 0; i < slot.Start?.Count; i++)
                {
                    using var value = slot.Start[i].ToScalar();
                    tensor.select(1, i).fill_(value);
                }
            }
        }
    }

    /// <inheritdoc/>
    protected override void Free()
    {
        foreach (var tensor in _tensors.SelectMany(layer => layer))
        {
            tensor.Dispose();
        }
    }
}
