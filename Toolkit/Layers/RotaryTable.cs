using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>
/// Cosines and sines of every position, computed once for as many positions as were ever asked for. Not part of a model's state. Where the
/// scaling looks at the length of the sequence, the table is that of the length last asked for.
/// </summary>
/// <param name="dimension">Dimensions that turn.</param>
/// <param name="theta">Base of the frequencies.</param>
/// <param name="scaling">How the frequencies are changed for longer texts, or null.</param>
public sealed class RotaryTable(int dimension, double theta, RotaryScaling? scaling = null) : IDisposable
{
    private Tensor? _cos;
    private Tensor? _sin;
    private long _frequencyLength;

    /// <summary>Cosines and sines, each (T, 1, R/2), of the positions from <paramref name="start"/> on.</summary>
    public (Tensor Cos, Tensor Sin) Rows(long start, long length, ScalarType dtype, Device device)
    {
        Require(start + length, dtype, device);
        return (_cos!.narrow(0, start, length), _sin!.narrow(0, start, length));
    }

    /// <summary>Cosines and sines, each (B, T, 1, R/2), of given positions, (B, T) of int64, all below <paramref name="length"/>.</summary>
    public (Tensor Cos, Tensor Sin) Rows(Tensor positions, long length, ScalarType dtype)
    {
        Require(length, dtype, positions.device);
        long[] shape = [positions.shape[0], positions.shape[1], 1, dimension / 2];
        var flat = positions.reshape(-1);
        return (_cos!.index_select(0, flat).view(shape), _sin!.index_select(0, flat).view(shape));
    }

    /// <summary>Frees the table.</summary>
    public void Dispose()
    {
        _cos?.Dispose();
        _sin?.Dispose();
    }

    private void Require(long length, ScalarType dtype, Device device)
    {
        var frequencyLength = scaling?.FrequencyLength(length) ?? 0;
        if (_cos is null || _cos.shape[0] < length || _cos.dtype != dtype || _cos.device_type != device.type || _cos.device_index != device.index
            || frequencyLength != _frequencyLength)
        {
            _frequencyLength = frequencyLength;
            Fill(Math.Max(length, scaling?.DependsOnLength == true ? 0 : _cos?.shape[0] * 2 ?? 256), length, dtype, device);
        }
    }

    private void Fill(long positions, long length, ScalarType dtype, Device device)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        Dispose();
        var half = dimension / 2;
        var cosines = new float[positions * half];
        var sines = new float[positions * half];
        var frequencies = RotaryFrequencies.Of(dimension, theta, scaling, length);
        var factor = (float)(scaling?.AttentionFactor ?? 1);
        for (var i = 0; i < half; i++)
        {
            for (var t = 0; t < positions; t++)
            {
                var (sin, cos) = MathF.SinCos(t * frequencies[i]);
                (sines[(t * half) + i], cosines[(t * half) + i]) = (sin * factor, cos * factor);
            }
        }

        _cos = tensor(cosines, [positions, 1, half]).to(dtype).to(device).DetachFromDisposeScope();
        _sin = tensor(sines, [positions, 1, half]).to(dtype).to(device).DetachFromDisposeScope();
    }
}
