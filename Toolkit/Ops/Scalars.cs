using TorchSharp;

namespace Toolkit.Ops;

/// <summary>
/// Scalars that live as long as the process. TorchSharp's <c>x.add(y)</c> makes one of its own for the factor 1, which the
/// garbage collector may free while the operator still reads it: hot paths call <c>x.add(y, Scalars.One)</c>. <c>x.square()</c> makes a 2:
/// <c>x.mul(x)</c> and <c>x.pow(Scalars.Two)</c> do not.
/// </summary>
internal static class Scalars
{
    public static readonly Scalar One = 1.ToScalar();

    public static readonly Scalar Two = 2.ToScalar();

    public static readonly Scalar Zero = 0.ToScalar();

    public static readonly Scalar MinusInfinity = double.NegativeInfinity.ToScalar();
}
