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
            private static VF ScaleWide(VF p, VF n) => p;
        """ + Parts;

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
            private static VF ScaleWide(VF p, VF n) => p;

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
        """;

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

            [MethodImpl(Inline)] private static VF ScaleWide(VF p, VF n) => Avx512F.Scale(p, n);
            [MethodImpl(Inline)] private static void NarrowShort(VI x, ushort* p) => Vector256.Narrow(x.GetLower().AsUInt32(), x.GetUpper().AsUInt32()).Store(p);

            [MethodImpl(Inline)] private static Vector128<float> FoldSum(VF x)
            {
                var y = x.GetLower() + x.GetUpper();
                return y.GetLower() + y.GetUpper();
            }

            [MethodImpl(Inline)] private static Vector128<float> Fold(VF x) =>
                Greater(Greater(x.GetLower().GetLower(), x.GetLower().GetUpper()), Greater(x.GetUpper().GetLower(), x.GetUpper().GetUpper()));
        """ + Parts;

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
