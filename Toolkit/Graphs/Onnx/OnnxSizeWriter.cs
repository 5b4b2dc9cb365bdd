using System.Reflection.Metadata;
using Onnx;
using Toolkit.Graphs.Capture;
using static TorchSharp.torch;

namespace Toolkit.Graphs;

/// <summary>Writes what an ONNX model computes from the sizes of its arguments: numbers, and whether it may be run with them.</summary>
/// <param name="emitter">What writes nodes.</param>
/// <param name="proto">Where to.</param>
/// <param name="names">Names of the sizes.</param>
/// <param name="places">Where each of them is read.</param>
internal sealed class OnnxSizeWriter(OnnxEmitter emitter, GraphProto proto, IReadOnlyList<string> names, (string Input, int Dimension)[] places)
{
    private readonly string[] _sizes = [.. places.Select(place => emitter.Add("Shape", [place.Input], ("start", place.Dimension), ("end", place.Dimension + 1)))];
    private readonly Dictionary<SizeForm, string> _forms = [];
    private readonly List<string> _zeros = [];
    private readonly List<string> _requirements = [];
    private long[] _least = [];

    /// <summary>What must hold of the sizes.</summary>
    public IReadOnlyList<string> Requirements => _requirements;

    /// <summary>Some numbers as a tensor like one that they were for some sizes.</summary>
    public string Numbers(SizeForm[] forms, TensorProto like)
    {
        var whole = forms.Length == 1 ? Number(forms[0]) : emitter.Add("Concat", forms.Select(Number), ("axis", 0));
        whole = like.Dims.Count == 0 ? emitter.Add("Squeeze", [whole]) : whole;
        return like.DataType == OnnxEmitter.TypeOf(ScalarType.Int64) ? whole : emitter.Add("Cast", [whole], ("to", like.DataType));
    }

    /// <summary>Writes what must hold.</summary>
    /// <param name="least">The least that each size may be.</param>
    /// <param name="conditions">What the program asked.</param>
    public void Require(long[] least, IEnumerable<(ILOpCode Code, SizeForm A, SizeForm B)> conditions)
    {
        _least = least;
        for (var i = 0; i < least.Length; i++)
        {
            if (least[i] > 0)
            {
                Require("LessOrEqual", emitter.Integers(least[i]), _sizes[i], $"{names[i]} >= {least[i]}");
            }
        }

        foreach (var (code, a, b) in conditions)
        {
            Require(code, a, b);
        }
    }

    /// <summary>An argument that there is only where all of that holds.</summary>
    public string Guarded(string input, bool isRead)
    {
        if (_zeros.Count == 0)
        {
            return input;
        }

        var zero = _zeros.Aggregate((a, b) => emitter.Add("Add", [a, b]));
        if (isRead)
        {
            return emitter.Add("Reshape", [input, emitter.Add("Add", [emitter.Add("Shape", [input]), zero])], ("allowzero", 1));
        }

        _forms.Clear();
        _sizes[0] = emitter.Add("Add", [_sizes[0], zero]);
        return input;
    }

    private void Require(ILOpCode code, SizeForm a, SizeForm b)
    {
        var (x, y) = (a.Values[0], b.Values[0]);
        switch (code)
        {
            case ILOpCode.Rem:
                Require("Equal", emitter.Add("Mod", [Number(a), Number(b)]), emitter.Integers(((x % y) + y) % y), $"{Text(a)} % {Text(b)} == {((x % y) + y) % y}");
                break;
            case ILOpCode.Ceq or ILOpCode.Beq or ILOpCode.Beq_s or ILOpCode.Bne_un or ILOpCode.Bne_un_s or ILOpCode.Brtrue or ILOpCode.Brtrue_s or ILOpCode.Brfalse or ILOpCode.Brfalse_s when x == y:
                Require("Equal", Number(a), Number(b), $"{Text(a)} == {Text(b)}");
                break;
            case ILOpCode.Ceq or ILOpCode.Beq or ILOpCode.Beq_s or ILOpCode.Bne_un or ILOpCode.Bne_un_s or ILOpCode.Brtrue or ILOpCode.Brtrue_s or ILOpCode.Brfalse or ILOpCode.Brfalse_s:
                if (!IsAlways(a, b, 1) && !IsAlways(b, a, 1))
                {
                    Require("Not", emitter.Add("Equal", [Number(a), Number(b)]), null, $"{Text(a)} != {Text(b)}");
                }

                break;
            default:
                RequireOrder(code.ToString() is ['C', 'l', ..] or ['B', 'l', 't', ..] or ['B', 'g', 'e', ..], x, y, a, b);
                if (code.ToString().Contains("_un", StringComparison.Ordinal))
                {
                    // Without signs negative numbers would be great ones.
                    var zero = new SizeForm(a.Points, new long[a.Values.Length]);
                    RequireOrder(true, x, 0, a, zero);
                    RequireOrder(true, y, 0, b, zero);
                }

                break;
        }
    }

    /// <summary>One is less than the other, or greater, as it was.</summary>
    private void RequireOrder(bool asksForLess, long x, long y, SizeForm a, SizeForm b)
    {
        var (less, more, isStrict) = asksForLess ? (x < y ? (a, b, true) : (b, a, false)) : (x > y ? (b, a, true) : (a, b, false));
        if (!IsAlways(less, more, isStrict ? 1 : 0))
        {
            Require(isStrict ? "Less" : "LessOrEqual", Number(less), Number(more), $"{Text(less)} {(isStrict ? "<" : "<=")} {Text(more)}");
        }
    }

    /// <summary>Whether one number is less than another by so much for the least sizes, and less by more for others.</summary>
    private bool IsAlways(SizeForm less, SizeForm more, long by)
    {
        var (a, b) = (less.Sum(), more.Sum());
        return a.Divisor == 1 && b.Divisor == 1 && a.Products.Count == 0 && b.Products.Count == 0 && a.Multiples.Zip(b.Multiples).All(pair => pair.First <= pair.Second)
            && b.Number - a.Number + b.Multiples.Zip(a.Multiples, (more, less) => more - less).Zip(_least, (factor, size) => factor * size).Sum() >= by;
    }

    /// <summary>A node that fails where something does not hold: it looks for what is not there.</summary>
    private void Require(string op, string a, string? b, string text)
    {
        if (_requirements.Contains(text))
        {
            return;
        }

        var holds = emitter.Add("Cast", [emitter.Add(op, b is null ? [a] : [a, b])], ("to", OnnxEmitter.TypeOf(ScalarType.Int64)));
        _zeros.Add(emitter.Add("Gather", [emitter.Integers(0), emitter.Add("Sub", [emitter.Integers(1), holds])], ("axis", 0)));
        proto.Node[^1].Name = $"requires {text}";
        _requirements.Add(text);
    }

    /// <summary>A number, in one dimension.</summary>
    private string Number(SizeForm form)
    {
        if (form.IsConstant)
        {
            return emitter.Integers(form.Values[0]);
        }

        if (!_forms.TryGetValue(form, out var name))
        {
            var (number, multiples, products, divisor) = form.Sum();
            var terms = multiples.Select((factor, i) => (factor, Name: _sizes[i])).Where(term => term.factor != 0)
                .Concat(products.Select(product => (product.Factor, Name: emitter.Add("Mul", [_sizes[product.I], _sizes[product.J]]))))
                .Select(term => term.Item1 == 1 ? term.Name : emitter.Add("Mul", [term.Name, emitter.Integers(term.Item1)])).ToList();
            if (number != 0)
            {
                terms.Add(emitter.Integers(number));
            }

            name = terms.Aggregate((a, b) => emitter.Add("Add", [a, b]));
            _forms[form] = name = divisor == 1 ? name : emitter.Add("Div", [name, emitter.Integers(divisor)]);
        }

        return name;
    }

    private string Text(SizeForm form)
    {
        var (number, multiples, products, divisor) = form.Sum();
        string[] terms =
        [
            .. multiples.Select((factor, i) => (factor, names[i])).Concat(products.Select(product => (product.Factor, $"{names[product.I]}*{names[product.J]}"))).Where(term => term.Item1 != 0)
                .Select(term => term.Item1 == 1 ? term.Item2 : $"{term.Item1}*{term.Item2}"),
            .. number != 0 ? [FormattableString.Invariant($"{number}")] : Array.Empty<string>(),
        ];
        var sum = terms.Length == 0 ? "0" : string.Join(" + ", terms).Replace("+ -", "- ", StringComparison.Ordinal);
        return divisor == 1 ? sum : terms.Length > 1 ? $"({sum})/{divisor}" : $"{sum}/{divisor}";
    }
}
