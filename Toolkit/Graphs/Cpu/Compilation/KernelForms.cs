using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Toolkit.Graphs.Cpu;

/// <summary>
/// The kernels of graphs that differ in sizes. Where the text of a kernel for one size differs from that for another in numbers only, both become one kernel that is given these numbers: a
/// further size is served by it, and nothing is compiled.
/// </summary>
internal sealed partial class KernelForms
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, List<Form>> _forms = new(StringComparer.Ordinal); // by the text without its numbers
    private long _plans;

    /// <summary>Takes note of the kernels of a plan.</summary>
    public void Learn(IEnumerable<KernelStep> steps)
    {
        lock (_lock)
        {
            _plans++;
            foreach (var body in steps.Select(step => step.Code.Body).Distinct(StringComparer.Ordinal))
            {
                var text = new KernelText(body);
                if (!_forms.TryGetValue(text.Skeleton, out var known))
                {
                    _forms[text.Skeleton] = known = [];
                }

                if (known.Exists(form => form.Fits(text.Literals)))
                {
                    continue;
                }

                // Kernels of one plan are different kernels; the nearest of another plan is the same one for another size.
                if (known.Where(form => form.Plan != _plans).MinBy(form => form.Distance(text.Literals)) is { } nearest)
                {
                    nearest.Add(text.Literals, _plans);
                }
                else
                {
                    known.Add(new(text.Literals, _plans));
                }
            }
        }
    }

    /// <summary>Puts the kernels of a plan in the forms that serve other sizes too.</summary>
    public void Apply(IReadOnlyCollection<KernelStep> steps)
    {
        Learn(steps);
        lock (_lock)
        {
            foreach (var step in steps)
            {
                var text = new KernelText(step.Code.Body);
                var (body, numbers) = _forms[text.Skeleton].First(form => form.Fits(text.Literals)).Write(text, step.Code.Arguments.Count);
                step.Code = step.Code with { Body = body, Numbers = numbers };
            }
        }
    }

    /// <summary>A kernel for some sizes.</summary>
    private sealed class Form(string[] literals, long plan)
    {
        private readonly List<string[]> _seen = [literals];
        private int[] _groups = new int[literals.Length]; // of numbers that differ from size to size, the same for those that were always equal; -1 for those that do not differ

        /// <summary>The plan that it was in last.</summary>
        public long Plan { get; private set; } = plan;

        public bool Fits(string[] literals)
        {
            var firsts = new Dictionary<int, string>();
            for (var i = 0; i < literals.Length; i++)
            {
                if (Group(i) is var group && (group < 0 ? literals[i] != _seen[0][i] : !firsts.TryAdd(group, literals[i]) && firsts[group] != literals[i]))
                {
                    return false;
                }
            }

            return true;
        }

        public int Distance(string[] literals) => literals.Where((literal, i) => Group(i) < 0 && literal != _seen[0][i]).Count();

        public void Add(string[] literals, long plan)
        {
            _seen.Add(literals);
            Plan = plan;
            var known = new Dictionary<string, int>(StringComparer.Ordinal);
            for (var i = 0; i < literals.Length; i++)
            {
                var values = string.Join(' ', _seen.Select(other => other[i]));
                _groups[i] = _seen.TrueForAll(other => other[i] == literals[i]) ? -1 : known.TryAdd(values, known.Count) ? known.Count - 1 : known[values];
            }
        }

        /// <summary>The text that is given numbers, and the numbers for this size; none where nothing differs.</summary>
        public (string Body, long[]? Numbers) Write(KernelText text, int place)
        {
            if (_seen.Count == 1)
            {
                return (text.Body, null);
            }

            var (numbers, head) = (new List<long>(), new StringBuilder(Invariant($"var sizes = (long*)a[{place}];\n")));
            var body = text.Replace((literal, i) =>
            {
                var group = Group(i);
                if (group < 0)
                {
                    return literal;
                }

                if (group == numbers.Count)
                {
                    var (type, bits) = KernelText.Read(literal);
                    var number = Invariant($"sizes[{group}]");
                    head.Append(Invariant($"var size{group} = {type switch { 'f' => $"BitConverter.Int32BitsToSingle((int){number})", 'd' => $"BitConverter.Int64BitsToDouble({number})", _ => number }};\n"));
                    numbers.Add(bits);
                }

                return literal.EndsWith("UL", StringComparison.Ordinal) ? Invariant($"(ulong)size{group}") : Invariant($"size{group}");
            });
            return (head.Append(body).ToString(), [.. numbers]);
        }

        private int Group(int i) => _seen.Count == 1 ? -1 : _groups[i];

        private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
    }

    /// <summary>The text of a kernel, and the numbers in it.</summary>
    private sealed partial class KernelText
    {
        private readonly Match[] _matches;

        public KernelText(string body)
        {
            Body = body;
            _matches = [.. Number().Matches(body).OfType<Match>()];
            Literals = [.. _matches.Select(match => match.Value)];
            Skeleton = Replace((literal, _) => Read(literal).Type switch { 'f' => "#f", 'd' => "#d", _ => "#" });
        }

        public string Body { get; }

        /// <summary>The text without its numbers.</summary>
        public string Skeleton { get; }

        /// <summary>Its numbers, as they are written.</summary>
        public string[] Literals { get; }

        /// <summary>The text with something else for its numbers.</summary>
        public string Replace(Func<string, int, string> other)
        {
            var (text, end) = (new StringBuilder(Body.Length), 0);
            for (var i = 0; i < _matches.Length; i++)
            {
                text.Append(Body, end, _matches[i].Index - end).Append(other(_matches[i].Value, i));
                end = _matches[i].Index + _matches[i].Length;
            }

            return text.Append(Body, end, Body.Length - end).ToString();
        }

        /// <summary>Type and bits of a number.</summary>
        public static (char Type, long Bits) Read(string literal) => literal[^1] switch
        {
            'f' => ('f', BitConverter.SingleToInt32Bits(float.Parse(literal[..^1], CultureInfo.InvariantCulture))),
            'd' => ('d', BitConverter.DoubleToInt64Bits(double.Parse(literal[..^1], CultureInfo.InvariantCulture))),
            _ => ('i', long.Parse(literal.TrimEnd('U', 'L'), CultureInfo.InvariantCulture)),
        };

        // Places of arguments (a[3]), parts of names (v12_0) and comments are no numbers.
        [GeneratedRegex(@"(?<![\w.]|\ba\[)(?:\d+(?:\.\d+)?(?:[eE][+-]?\d+)?[fd]|\d+(?:UL|L)?)(?![\w.])")]
        private static partial Regex Number();
    }
}
