using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>
/// Functions for which TorchSharp takes plain numbers and makes scalars of them, which the garbage collector may free while libtorch still reads them: here with scalars that their caller keeps.
/// </summary>
internal static unsafe partial class KeptScalars
{
    private static readonly Scalar _threshold = 20.ToScalar();

    /// <summary><c>log(1 + exp(βx)) / β</c>, above the threshold x itself.</summary>
    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "softplus1")]
    public static extern Tensor Softplus(Tensor x, Scalar beta, Scalar threshold);

    /// <summary><c>x·tanh(softplus(x))</c>.</summary>
    public static Tensor Mish(Tensor x) => x.mul(Softplus(x, Ops.Scalars.One, _threshold).tanh());

    /// <summary>A norm over some dimensions; over all where none are named.</summary>
    public static Tensor VectorNorm(Tensor x, Scalar order, long[]? dimensions, bool isKept)
    {
        fixed (long* dims = dimensions)
        {
            var norm = THSLinalg_vector_norm(x.Handle, HandleOf(order), dims, dimensions?.Length ?? 0, isKept ? (byte)1 : (byte)0);
            GC.KeepAlive(x);
            GC.KeepAlive(order);
            if (norm == 0)
            {
                CheckForErrors();
            }

            return Tensor.UnsafeCreateTensor(norm);
        }
    }

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_Handle")]
    private static extern nint HandleOf(Scalar scalar);

    [LibraryImport("LibTorchSharp")]
    private static partial nint THSLinalg_vector_norm(nint tensor, nint order, long* dimensions, int count, byte isKept);
}
