using TorchSharp;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Toolkit.Layers;

/// <summary>Cosines and sines of every position, computed once for as many positions as were ever asked for. Not part of a model's state.</summary>
public sealed class RotaryTable(int dimension, double theta) : IDisposable
{
    private Tensor? _cos;
    private Tensor? _sin;

    /// <summary>Cosines and sines, each (T, 1, D/2), of the positions from <paramref name="start"/> on.</summary>
    public (Tensor Cos, Tensor Sin) Rows(long start, long length, ScalarType dtype, Device device)
    {
        if (_cos is null || _cos.shape[0] < start + length || _cos.dtype != dtype || _cos.device_type != device.type || _cos.device_index != device.index)
        {
            Fill(Math.Max(start + length, _cos?.shape[0] * 2 ?? 256), dtype, device);
        }

        return (_cos!.narrow(0, start, length), _sin!.narrow(0, start, length));
    }

    /// <summary>Frees the table.</summary>
    public void Dispose()
    {
        _cos?.Dispose();
        _sin?.Dispose();
    }

    private void Fill(long positions, ScalarType dtype, Device device)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        Dispose();
        var half = dimension / 2;
        var cosines = new float[positions * half];
        var sines = new float[positions * half];
        for (var i = 0; i < half; i++)
        {
            // Hugging Face keeps the frequency and the angle in float32: so do we, or long positions would differ.
            var frequency = 1f / MathF.Pow((float)theta, 2f * i / dimension);
            for (var t = 0; t < positions; t++)
            {
                (sines[(t * half) + i], cosines[(t * half) + i]) = MathF.SinCos(t * frequency);
            }
        }

        _cos = tensor(cosines, [positions, 1, half]).to(dtype).to(device).DetachFromDisposeScope();
        _sin = tensor(sines, [positions, 1, half]).to(dtype).to(device).DetachFromDisposeScope();
    }
}
