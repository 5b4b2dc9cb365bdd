using System.Runtime.Intrinsics;

namespace Toolkit.Graphs.Cpu;

/// <summary>The C# that every kernel is compiled with: the vector of this machine and its mathematics.</summary>
internal static class KernelPrelude
{
    private const string Head = """
        using System;
        using System.Numerics;
        using System.Runtime.CompilerServices;
        using System.Runtime.Intrinsics;
        using System.Runtime.Intrinsics.X86;
        using V = System.Runtime.Intrinsics.VectorBITS;
        using VF = System.Runtime.Intrinsics.VectorBITS<float>;
        using VI = System.Runtime.Intrinsics.VectorBITS<int>;

        """;

    // bfloat16 and bytes become lanes of 32 bits, and back: the only code that depends on how wide a vector is.
    private const string Conversions128 = """
            [MethodImpl(Inline)] private static VI WidenShort(ushort* p) => V.WidenLower(V.CreateScalarUnsafe(*(ulong*)p).AsUInt16()).AsInt32();
            [MethodImpl(Inline)] private static VI WidenByte(byte* p) => V.WidenLower(V.WidenLower(V.CreateScalarUnsafe(*(uint*)p).AsByte())).AsInt32();
            [MethodImpl(Inline)] private static void NarrowShort(VI x, ushort* p) => *(ulong*)p = V.Narrow(x.AsUInt32(), x.AsUInt32()).AsUInt64()[0];
            [MethodImpl(Inline)] private static Vector128<float> Fold(VF x) => x;
            [MethodImpl(Inline)] private static Vector128<float> FoldSum(VF x) => x;
        """ + Parts + NotWide;

    private const string Conversions256 = """
            [MethodImpl(Inline)] private static VI WidenShort(ushort* p)
            {
                if (Avx2.IsSupported) { return Avx2.ConvertToVector256Int32(p); }
                var x = Vector128.Load(p);
                return V.Create(Vector128.WidenLower(x), Vector128.WidenUpper(x)).AsInt32();
            }

            [MethodImpl(Inline)] private static VI WidenByte(byte* p)
            {
                if (Avx2.IsSupported) { return Avx2.ConvertToVector256Int32(p); }
                var x = Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(ulong*)p).AsByte());
                return V.Create(Vector128.WidenLower(x), Vector128.WidenUpper(x)).AsInt32();
            }

            [MethodImpl(Inline)] private static void NarrowShort(VI x, ushort* p) => Vector128.Narrow(x.GetLower().AsUInt32(), x.GetUpper().AsUInt32()).Store(p);
            [MethodImpl(Inline)] private static Vector128<float> Fold(VF x) => Greater(x.GetLower(), x.GetUpper());
            [MethodImpl(Inline)] private static Vector128<float> FoldSum(VF x) => x.GetLower() + x.GetUpper();

            [MethodImpl(Inline)] private static VF LoadPart(float* p, long count)
            {
                if (Avx.IsSupported) { return Avx.MaskLoad(p, Lanes(count)); }
                var x = stackalloc float[W];
                for (var i = 0; i < W; i++) { x[i] = i < count ? p[i] : 0; }
                return V.Load(x);
            }

            [MethodImpl(Inline)] private static void StorePart(float* p, VF x, long count)
            {
                if (Avx.IsSupported) { Avx.MaskStore(p, Lanes(count), x); return; }
                for (var i = 0; i < count; i++) { p[i] = x[i]; }
            }
        """ + NotWide;

    private const string Conversions512 = """
            [MethodImpl(Inline)] private static VI WidenShort(ushort* p)
            {
                var x = Vector256.Load(p);
                return V.Create(Vector256.WidenLower(x), Vector256.WidenUpper(x)).AsInt32();
            }

            [MethodImpl(Inline)] private static VI WidenByte(byte* p)
            {
                var x = Vector128.Load(p);
                var y = Vector256.Create(Vector128.WidenLower(x), Vector128.WidenUpper(x));
                return V.Create(Vector256.WidenLower(y), Vector256.WidenUpper(y)).AsInt32();
            }

            // Small tables in registers, one of these instructions a look: fewer multiplications than the polynomials and quotients of narrower vectors.

            /// <summary>x·(1/2 + T(|x|)·sign x), T = Φ - 1/2 in pieces of 1/2 by polynomials of degree 5; exactly 1/2 from 5.75 on.</summary>
            [MethodImpl(Inline)] private static VF GeluWide(VF x)
            {
                var distance = V.Abs(x);
                var a = V.MinNative(V.Create(6f), distance);
                var shifted = a + V.Create(6291456f); // 1.5·2²²: what is left of the mantissa counts halves
                var (piece, r) = (shifted.AsInt32(), a - (shifted - V.Create(6291456f)));
                var p = Avx512F.PermuteVar16x32(V.Create(0.00986300223f, 0.00455367006f, -0.00396140758f, -0.00581664452f, -0.00226042815f, 0.000641927589f, 0.00110000698f, 0.000580573571f, 0.000184173419f, 3.97458934e-05f, 6.1276387e-06f, 6.9217856e-07f, 0f, 0f, 0f, 0f), piece);
                p = V.FusedMultiplyAdd(p, r, Avx512F.PermuteVar16x32(V.Create(0f, 0.0198847558f, 0.019975977f, 0.00613165135f, -0.0043734638f, -0.00588574167f, -0.00333398744f, -0.0011940737f, -0.000297728082f, -5.38019631e-05f, -7.19774835e-06f, -7.22078596e-07f, 0f, 0f, 0f, 0f), piece));
                p = V.FusedMultiplyAdd(p, r, Avx512F.PermuteVar16x32(V.Create(-0.0664877966f, -0.0440074503f, -1.67049518e-06f, 0.0269816127f, 0.0269957352f, 0.0153378369f, 0.0059093181f, 0.00163623423f, 0.000334519631f, 5.12598053e-05f, 5.94204721e-06f, 5.24293057e-07f, 0f, 0f, 0f, 0f), piece));
                p = V.FusedMultiplyAdd(p, r, Avx512F.PermuteVar16x32(V.Create(0f, -0.0880096555f, -0.120980956f, -0.0971396044f, -0.0539939106f, -0.0219115093f, -0.00664753793f, -0.00152679998f, -0.000267478346f, -3.59139594e-05f, -3.70776684e-06f, -2.95000035e-07f, 0f, 0f, 0f, 0f), piece));
                p = V.FusedMultiplyAdd(p, r, Avx512F.PermuteVar16x32(V.Create(0.398942262f, 0.352065325f, 0.241970733f, 0.1295176f, 0.0539909638f, 0.0175282992f, 0.00443184795f, 0.000872682838f, 0.000133830414f, 1.59838146e-05f, 1.48673632e-06f, 1.07700146e-07f, 0f, 0f, 0f, 0f), piece));
                p = V.FusedMultiplyAdd(p, r, Avx512F.PermuteVar16x32(V.Create(0f, 0.191462442f, 0.341344744f, 0.43319279f, 0.477249891f, 0.493790329f, 0.498650104f, 0.499767363f, 0.49996832f, 0.499996603f, 0.499999702f, 0.49999997f, 0.5f, 0.5f, 0.5f, 0.5f), piece));
                return V.FusedMultiplyAdd(distance, p, x * V.Create(0.5f));
            }

            /// <summary>eˣ as 2^(k/16)·eʳ, x from -105 to 89.</summary>
            [MethodImpl(Inline)] private static VF ExpWide(VF x)
            {
                var shifted = V.FusedMultiplyAdd(x, V.Create(23.0831207f), V.Create(12582912f)); // 1.5·2²³
                var n = shifted - V.Create(12582912f);
                var power = Sixteenth(shifted.AsInt32());
                var r = V.FusedMultiplyAdd(n, V.Create(-1.99663646e-06f), V.FusedMultiplyAdd(n, V.Create(-0.0433197021f), x));
                return Avx512F.Scale(V.FusedMultiplyAdd(power, ExpOfLittle(r), power), n * V.Create(0.0625f));
            }

            /// <summary>e⁻ˣ/2 as 2^(k/16)·eʳ, neither subnormal nor infinite. The nearest float to ln 2 is so near that r needs no second step: it errs by 3e-9·x.</summary>
            [MethodImpl(Inline)] private static VF HalfDecayWide(VF x)
            {
                var shifted = V.FusedMultiplyAdd(x, V.Create(-23.0831207f), V.Create(12582896f)); // 1.5·2²³ - 16: half
                var k = shifted.AsInt32();
                var power = (Sixteenth(k).AsInt32() + V.ShiftLeft(k & V.Create(~15), 19)).AsSingle();
                var r = V.FusedMultiplyAdd(shifted - V.Create(12582896f), V.Create(-0.0433216989f), -x);
                return V.FusedMultiplyAdd(power, ExpOfLittle(r), power);
            }

            /// <summary>2^((k mod 16)/16).</summary>
            [MethodImpl(Inline)] private static VF Sixteenth(VI k) => Avx512F.PermuteVar16x32(V.Create(1f, 1.04427373f, 1.09050775f, 1.13878858f, 1.18920708f, 1.24185777f, 1.29683959f, 1.35425556f, 1.41421354f, 1.47682619f, 1.54221082f, 1.61049032f, 1.68179286f, 1.75625217f, 1.8340081f, 1.91520655f), k);

            /// <summary>eʳ - 1 where |r| ≤ ln 2/32.</summary>
            [MethodImpl(Inline)] private static VF ExpOfLittle(VF r) =>
                V.FusedMultiplyAdd(V.FusedMultiplyAdd(V.Create(0.166670576f), r, V.Create(0.50001955f)), r, VF.One) * r;

            [MethodImpl(Inline)] private static void NarrowShort(VI x, ushort* p) => Vector256.Narrow(x.GetLower().AsUInt32(), x.GetUpper().AsUInt32()).Store(p);

            [MethodImpl(Inline)] private static Vector128<float> FoldSum(VF x)
            {
                var y = x.GetLower() + x.GetUpper();
                return y.GetLower() + y.GetUpper();
            }

            [MethodImpl(Inline)] private static Vector128<float> Fold(VF x) =>
                Greater(Greater(x.GetLower().GetLower(), x.GetLower().GetUpper()), Greater(x.GetUpper().GetLower(), x.GetUpper().GetUpper()));

            [MethodImpl(Inline)] private static VF LoadPart(float* p, long count)
            {
                if (Avx512F.IsSupported) { return Avx512F.MaskLoad(p, Lanes(count), VF.Zero); }
                var x = stackalloc float[W];
                for (var i = 0; i < W; i++) { x[i] = i < count ? p[i] : 0; }
                return V.Load(x);
            }

            [MethodImpl(Inline)] private static void StorePart(float* p, VF x, long count)
            {
                if (Avx512F.IsSupported) { Avx512F.MaskStore(p, Lanes(count), x); return; }
                for (var i = 0; i < count; i++) { p[i] = x[i]; }
            }
        """;

    private const string NotWide = """

            private static VF GeluWide(VF x) => x;
            private static VF ExpWide(VF x) => x;
            private static VF HalfDecayWide(VF x) => x;
        """;

    private const string Parts = """

            private static VF LoadPart(float* p, long count) { var x = stackalloc float[W]; for (var i = 0; i < W; i++) { x[i] = i < count ? p[i] : 0; } return V.Load(x); }
            private static void StorePart(float* p, VF x, long count) { for (var i = 0; i < count; i++) { p[i] = x[i]; } }
        """;

    private static readonly string _template = Read("VectorMath") + "\n" + Read("VectorFunctions");

    /// <summary>Floats in the widest vector that is fast on this machine: 16, 8 or 4.</summary>
    public static int Width { get; } = Vector512.IsHardwareAccelerated ? 16 : Vector256.IsHardwareAccelerated ? 8 : 4;

    /// <summary>The using directives of a file with kernels.</summary>
    public static string Usings(int width) => Head.Replace("BITS", $"{width * 32}", StringComparison.Ordinal) + "using static Toolkit.Kernels.VectorMath;\n";

    /// <summary>The file with the mathematics.</summary>
    public static string Source(int width)
    {
        var conversions = width switch { 16 => Conversions512, 8 => Conversions256, _ => Conversions128 };
        var body = _template.Replace("WIDTH", $"{width}", StringComparison.Ordinal);
        var end = body.LastIndexOf('}');
        return Head.Replace("BITS", $"{width * 32}", StringComparison.Ordinal)
            + "\n[module: SkipLocalsInit]\n\nnamespace Toolkit.Kernels;\n\n" + body[..end]
            + "\n    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;\n\n" + conversions + "\n}\n";
    }

    private static string Read(string name)
    {
        using var stream = typeof(KernelPrelude).Assembly.GetManifestResourceStream($"Toolkit.Graphs.Cpu.{name}.template")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
