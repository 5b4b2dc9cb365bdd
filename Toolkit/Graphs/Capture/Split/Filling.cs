using Toolkit.Graphs.Il;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <summary>What objects are made of when they are made again after a graph has run.</summary>
/// <param name="Tensors">The tensors of the run.</param>
/// <param name="Live">What was alive where the graph began.</param>
/// <param name="Call">The call.</param>
/// <param name="Frames">The calls that are made again.</param>
/// <param name="Objects">Those made so far: each is made once, however many refer to it.</param>
internal sealed record Filling(Func<int, Tensor> Tensors, object?[] Live, SplitState Call, Frame[] Frames, object?[] Objects);
