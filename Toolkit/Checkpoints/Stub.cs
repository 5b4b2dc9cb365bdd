#pragma warning disable CS1591
using static TorchSharp.torch;
namespace Toolkit.Checkpoints;
public class CheckpointException(string m) : Exception(m);
public sealed class Checkpoint : IDisposable {
 public static Checkpoint Open(string f) => throw new NotImplementedException();
 public IReadOnlyCollection<string> Names => throw new NotImplementedException();
 public bool Contains(string n) => throw new NotImplementedException();
 public Tensor Load(string n) => throw new NotImplementedException();
 public static void Save(string folder, IReadOnlyDictionary<string, Tensor> tensors, long maxShardBytes = 5L << 30) => throw new NotImplementedException();
 public void Dispose() {} }
