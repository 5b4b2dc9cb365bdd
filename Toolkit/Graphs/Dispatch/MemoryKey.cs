using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Dispatch;

/// <summary>Which memory a tensor shows, and how: equal for two objects that are the same tensor.</summary>
internal readonly unsafe struct MemoryKey : IEquatable<MemoryKey>
{
    private readonly nint _address;
    private readonly long[] _sizes;
    private readonly long[] _strides;
    private readonly int _hash;

    private MemoryKey(nint address, ScalarType type, string device, long[] sizes, long[] strides)
    {
        (_address, Type, Device, _sizes, _strides) = (address, type, device, sizes, strides);
        var hash = default(HashCode);
        hash.Add(address);
        hash.Add((int)type);
        foreach (var size in sizes)
        {
            hash.Add(size);
        }

        foreach (var stride in strides)
        {
            hash.Add(stride);
        }

        _hash = hash.ToHashCode();
    }

    /// <summary>Where it begins.</summary>
    public nint Address => _address;

    /// <summary>Type of the values.</summary>
    public ScalarType Type { get; }

    /// <summary>Where it is.</summary>
    public string Device { get; }

    /// <summary>The extents.</summary>
    public ReadOnlySpan<long> Sizes => _sizes;

    /// <summary>Of a tensor; null where it has no memory.</summary>
    public static MemoryKey? Of(DispatcherSymbols symbols, nint* tensor)
    {
        var key = Describe(symbols, tensor);
        return key._address == 0 ? null : key;
    }

    /// <summary>Of a tensor, also of one without memory.</summary>
    /// <exception cref="GraphException">It is sparse, or lies where graphs know nothing of.</exception>
    public static MemoryKey Describe(DispatcherSymbols symbols, nint* tensor)
    {
        long rank;
        long* sizes, strides;
        int type, deviceType, deviceIndex;
        if (symbols.Dimensions(tensor, &rank) != 0 || symbols.Sizes(tensor, &sizes) != 0 || symbols.DataType(tensor, &type) != 0 || symbols.DeviceType(tensor, &deviceType) != 0
            || symbols.DeviceIndex(tensor, &deviceIndex) != 0 || symbols.Strides(tensor, &strides) != 0)
        {
            throw new GraphException("a tensor does not tell its shape");
        }

        nint address = 0;
        var device = (TorchSharp.DeviceType)deviceType switch
        {
            TorchSharp.DeviceType.CPU => "cpu",
            TorchSharp.DeviceType.META => "meta",
            var other => $"{other.ToString().ToLowerInvariant()}:{Math.Max(0, deviceIndex)}",
        };
        if (device != "meta")
        {
            _ = symbols.DataPointer(tensor, &address);
        }

        if (DataTypes.Find(type) is not { } values)
        {
            throw new GraphException($"a tensor has values of the type {type}, which graphs do not know");
        }

        return new(address, values, device, new Span<long>(sizes, (int)rank).ToArray(), new Span<long>(strides, (int)rank).ToArray());
    }

    /// <inheritdoc/>
    public bool Equals(MemoryKey other) =>
        _address == other._address && Type == other.Type && Device == other.Device && _sizes.AsSpan().SequenceEqual(other._sizes) && _strides.AsSpan().SequenceEqual(other._strides);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is MemoryKey other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => _hash;
}
