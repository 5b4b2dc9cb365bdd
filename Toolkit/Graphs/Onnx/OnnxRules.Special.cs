using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <content>Functions that ONNX has none of, by what they are approximated with; random numbers; and what is taken by places in memory.</content>
internal static partial class OnnxRules
{
    // Giles, "Approximating the erfinv function": for w = -ln(1 - x²) below 5, and from there on. Relative errors are some 1e-7.
    private static readonly double[] _erfinvNear = [2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503, -0.00417768164, 0.246640727, 1.50140941];
    private static readonly double[] _erfinvFar = [-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047, 1.00167406, 2.83297682];

    // Lanczos, g = 7: errors below 1e-14.
    private static readonly double[] _lanczos =
        [676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7];

    // Of ψ(y) = ln y - 1/(2y) - Σ B₂ₙ/(2n·y²ⁿ), from the last on.
    private static readonly double[] _digamma = [1.0 / 12, -691.0 / 32760, 1.0 / 132, -1.0 / 240, 1.0 / 252, -1.0 / 120, 1.0 / 12];

    private static void Special(Dictionary<string, Func<OnnxCall, string[]>> rules)
    {
        void One(string name, Func<OnnxCall, string> rule) => rules["aten::" + name] = c => [rule(c)];
        One("erfinv", ErfInverse);
        One("special_erfinv", ErfInverse);
        One("lgamma", c => InDoubles(c, LogGamma));
        One("special_gammaln", c => InDoubles(c, LogGamma));
        One("digamma", c => InDoubles(c, Digamma));
        One("special_digamma", c => InDoubles(c, Digamma));
        One("as_strided", Strided);
        One("masked_scatter", MaskedScatter);
        One("renorm", c =>
        {
            var dim = c.Dimension("dim");
            var norm = Norm(c, c.Self, c.Call.Number("p"), [.. Enumerable.Range(0, c.Shape.Count).Where(d => d != dim).Select(d => (long)d)], true);
            var most = c.Number(c.Call.Number("maxnorm"));
            return c.Times(c.Self, c.Where(c.Add("Greater", [norm, most]), c.Over(most, c.Plus(norm, c.Number(1e-7))), c.Number(1)));
        });
        foreach (var name in new[] { "rand", "randn", "rand_like", "randn_like", "randint.low", "randperm", "multinomial", "bernoulli", "bernoulli.p", "uniform", "normal_functional" })
        {
            rules["aten::" + name] = c => throw c.Unfit("numbers that an ONNX model draws are others than libtorch draws: give the module random numbers as an argument");
        }
    }

    private static string ErfInverse(OnnxCall c)
    {
        if (c.Type.DType == ScalarType.Float64)
        {
            throw c.Unfit("float64 is not written: the approximation is one for float32");
        }

        var (x, one) = (c.Self, c.Number(1));
        var w = c.Add("Neg", [c.Add("Log", [c.Times(c.Minus(one, x), c.Plus(one, x))])]);
        var near = Polynomial(c, c.Minus(w, c.Number(2.5)), _erfinvNear, c.Type.DType);
        var far = Polynomial(c, c.Minus(c.Add("Sqrt", [w]), c.Number(3)), _erfinvFar, c.Type.DType);
        var y = c.Times(x, c.Where(c.Add("Less", [w, c.Number(5)]), near, far));
        return c.Where(c.Add("Equal", [c.Add("Abs", [x]), one]), c.Times(x, c.Number(double.PositiveInfinity)), y);
    }

    /// <summary>In double precision: what cancels leaves enough.</summary>
    private static string InDoubles(OnnxCall c, Func<OnnxCall, string, string> function) =>
        c.Cast(function(c, c.As("self", ScalarType.Float64)), ScalarType.Float64, c.Type.DType);

    private static string Double(OnnxCall c, double number) => c.Emitter.Number(number, ScalarType.Float64);

    private static string Polynomial(OnnxCall c, string x, double[] factors, ScalarType type) =>
        factors.Skip(1).Aggregate(c.Emitter.Number(factors[0], type), (sum, factor) => c.Plus(c.Times(sum, x), c.Emitter.Number(factor, type)));

    /// <summary>ln|Γ(x)|; below 1/2 it is ln(π/|sin πx|) - ln Γ(1 - x).</summary>
    private static string LogGamma(OnnxCall c, string x)
    {
        var one = Double(c, 1);
        var isLow = c.Add("Less", [x, Double(c, 0.5)]);
        var z = c.Minus(c.Where(isLow, c.Minus(one, x), x), one);
        var sum = Double(c, 0.99999999999980993);
        for (var i = 0; i < _lanczos.Length; i++)
        {
            sum = c.Plus(sum, c.Over(Double(c, _lanczos[i]), c.Plus(z, Double(c, i + 1))));
        }

        var t = c.Plus(z, Double(c, 7.5));
        var y = c.Plus(c.Minus(c.Times(c.Plus(z, Double(c, 0.5)), c.Add("Log", [t])), t), c.Plus(c.Add("Log", [sum]), Double(c, 0.5 * Math.Log(2 * Math.PI))));
        var sine = c.Add("Sin", [c.Times(c.Minus(x, c.Add("Floor", [x])), Double(c, Math.PI))]); // 0 at whole numbers, to the last bit
        var mirrored = c.Minus(c.Add("Log", [c.Over(Double(c, Math.PI), sine)]), y);
        return c.Where(c.Add("IsInf", [x]), Double(c, double.PositiveInfinity), c.Where(isLow, mirrored, y));
    }

    /// <summary>ψ(x), ten steps farther on; below 0 it is ψ(1 - x) - π/tan πx.</summary>
    private static string Digamma(OnnxCall c, string x)
    {
        var (zero, one, pi) = (Double(c, 0), Double(c, 1), Double(c, Math.PI));
        var isLow = c.Add("Less", [x, zero]);
        var z = c.Where(isLow, c.Minus(one, x), x);
        var y = c.Plus(z, Double(c, 10));
        var square = c.Over(one, c.Times(y, y));
        var sum = c.Minus(c.Minus(c.Add("Log", [y]), c.Over(Double(c, 0.5), y)), c.Times(square, Polynomial(c, square, _digamma, ScalarType.Float64)));
        for (var i = 0; i < 10; i++)
        {
            sum = c.Minus(sum, c.Over(one, c.Plus(z, Double(c, i))));
        }

        var part = c.Minus(x, c.Add("Floor", [x]));
        var (sine, cosine) = (c.Add("Sin", [c.Times(part, pi)]), c.Add("Sin", [c.Times(c.Plus(part, Double(c, 0.5)), pi)]));
        var mirrored = c.Where(c.Add("Equal", [part, zero]), Double(c, double.NaN), c.Minus(sum, c.Over(c.Times(pi, cosine), sine)));
        return c.Where(c.Add("Equal", [x, zero]), c.Add("Neg", [c.Add("Reciprocal", [x])]), c.Where(isLow, mirrored, sum));
    }

    /// <summary>Places in memory, where it is known how the source lies.</summary>
    private static string Strided(OnnxCall c)
    {
        if (c.Call.Value("self").Producer is { } made && made.Operator.Kind != OperatorKind.Factory)
        {
            throw c.Unfit("it is written for arguments and weights, of which it is known how they lie in memory: use slices, or views");
        }

        var (sizes, strides) = (c.Call.Integers("size")!.Value, c.Call.Integers("stride")!.Value);
        IEnumerable<long> places = [c.Call.Has("storage_offset") ? c.Call.Integer("storage_offset") : 0];
        for (var d = 0; d < sizes.Length; d++)
        {
            var (size, stride) = (sizes[d], strides[d]);
            places = places.SelectMany(place => OnnxCall.Counting(size).Select(i => place + (i * stride)));
        }

        return c.Add("Gather", [c.Reshape(c["self"], [c.ShapeOf("self").Elements]), c.Constant(places, [.. sizes])], ("axis", 0));
    }

    /// <summary>One value of the source after another, at the places of the mask.</summary>
    private static string MaskedScatter(OnnxCall c)
    {
        var mask = c.Add("Expand", [c["mask"], c.Ints(c.Shape.ToArray())]);
        var counts = c.Add("CumSum", [c.Cast(c.Reshape(mask, [c.Shape.Elements]), ScalarType.Bool, ScalarType.Int64), c.Emitter.Integer(0)]);
        var places = c.Add("Max", [c.Minus(counts, c.Emitter.Integer(1)), c.Emitter.Integer(0)]);
        var last = c.Add("Min", [places, c.Emitter.Integer(Math.Max(0, c.ShapeOf("source").Elements - 1))]);
        var taken = c.Add("Gather", [c.Reshape(c["source"], [c.ShapeOf("source").Elements]), last], ("axis", 0));
        return c.Where(mask, c.Reshape(taken, c.Shape), c.Self);
    }
}
