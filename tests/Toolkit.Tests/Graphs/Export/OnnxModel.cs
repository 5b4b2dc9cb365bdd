using Microsoft.ML.OnnxRuntime;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Export;

/// <summary>An ONNX file, run by ONNX Runtime.</summary>
internal sealed class OnnxModel : IDisposable
{
    private readonly InferenceSession _session;

    public OnnxModel(string path)
    {
        using var options = new SessionOptions { IntraOpNumThreads = 1, LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR };
        _session = new(path, options);
    }

    public IReadOnlyList<string> Inputs => _session.InputNames;

    public IReadOnlyDictionary<string, string> Properties => _session.ModelMetadata.CustomMetadataMap;

    public Tensor[] Run(IReadOnlyList<Tensor> inputs)
    {
        using var options = new RunOptions();
        var values = inputs.Select(Value).ToArray();
        try
        {
            using var results = _session.Run(options, _session.InputNames, values, _session.OutputNames);
            return [.. results.Select(Tensor)];
        }
        finally
        {
            Array.ForEach(values, value => value.Dispose());
        }
    }

    public void Dispose() => _session.Dispose();

    private static OrtValue Value(Tensor tensor) => tensor.dtype switch
    {
        ScalarType.Float32 => OrtValue.CreateTensorValueFromMemory(tensor.data<float>().ToArray(), tensor.shape),
        ScalarType.Float64 => OrtValue.CreateTensorValueFromMemory(tensor.data<double>().ToArray(), tensor.shape),
        ScalarType.Int64 => OrtValue.CreateTensorValueFromMemory(tensor.data<long>().ToArray(), tensor.shape),
        ScalarType.Bool => OrtValue.CreateTensorValueFromMemory(tensor.data<bool>().ToArray(), tensor.shape),
        _ => throw new NotSupportedException($"{tensor.dtype}"),
    };

    private static Tensor Tensor(OrtValue value)
    {
        var type = value.GetTensorTypeAndShape();
        return type.ElementDataType switch
        {
            Microsoft.ML.OnnxRuntime.Tensors.TensorElementType.Float => tensor(value.GetTensorDataAsSpan<float>().ToArray(), type.Shape),
            Microsoft.ML.OnnxRuntime.Tensors.TensorElementType.Double => tensor(value.GetTensorDataAsSpan<double>().ToArray(), type.Shape),
            Microsoft.ML.OnnxRuntime.Tensors.TensorElementType.Int64 => tensor(value.GetTensorDataAsSpan<long>().ToArray(), type.Shape),
            Microsoft.ML.OnnxRuntime.Tensors.TensorElementType.Bool => tensor(value.GetTensorDataAsSpan<bool>().ToArray(), type.Shape),
            _ => throw new NotSupportedException($"{type.ElementDataType}"),
        };
    }
}
