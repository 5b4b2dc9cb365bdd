using System.Globalization;
using System.Text;

namespace Toolkit.Text;

/// <summary>
/// How a model wants a conversation written: the <c>chat_template</c> of its tokenizer, in the part of the language Jinja that such templates use, with the
/// settings and functions that Hugging Face transformers gives them (trim_blocks, lstrip_blocks, tojson, raise_exception, strftime_now). A template can do
/// nothing but write text; one that would run or write without end is stopped.
/// </summary>
public sealed class ChatTemplate
{
    private const long MostSteps = 20_000_000;
    private const long MostCharacters = 1 << 28;
    private const int LongestRange = 1 << 20;

    private readonly TemplateNode _body;

    private ChatTemplate(string source, TemplateNode body) => (Source, _body) = (source, body);

    /// <summary>The template as it was given.</summary>
    public string Source { get; }

    /// <summary>Reads a template.</summary>
    /// <exception cref="TemplateException">It is malformed or uses something that is not supported; the message names the line.</exception>
    public static ChatTemplate Parse(string source)
    {
        ArgumentNullException.ThrowIfNull(source);
        return new(source, new TemplateParser(new TemplateLexer(source).Read()).Parse());
    }

    /// <summary>Writes a conversation.</summary>
    /// <param name="messages">What was said so far.</param>
    /// <param name="addGenerationPrompt">Whether the beginning of the assistant's answer follows.</param>
    /// <param name="variables">Further variables, such as <c>bos_token</c>, <c>tools</c> or <c>enable_thinking</c>: texts, numbers, truth values, lists, maps or JSON.</param>
    /// <param name="time">The clock of <c>strftime_now</c>; null: the system's.</param>
    /// <exception cref="TemplateException">The template refuses the conversation, or fails on it.</exception>
    public string Render(IEnumerable<ChatMessage> messages, bool addGenerationPrompt = true, IReadOnlyDictionary<string, object?>? variables = null, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(messages);
        var given = new Dictionary<string, object?>(variables ?? new Dictionary<string, object?>())
        {
            ["messages"] = messages.Select(message => (object?)new OrderedDictionary<string, object?>(
                message.Fields.Where(field => field.Key is not ("role" or "content")).Prepend(new("content", message.Content)).Prepend(new("role", message.Role)))).ToList(),
            ["add_generation_prompt"] = addGenerationPrompt,
        };
        return Render(given, time);
    }

    /// <summary>Writes what the template says of some variables.</summary>
    /// <param name="variables">All variables, <c>messages</c> among them.</param>
    /// <param name="time">The clock of <c>strftime_now</c>; null: the system's.</param>
    /// <exception cref="TemplateException">The template refuses the variables, or fails on them.</exception>
    public string Render(IReadOnlyDictionary<string, object?> variables, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(variables);
        var globals = TemplateScope.Root(MostSteps, MostCharacters);
        AddFunctions(globals, time ?? TimeProvider.System);
        foreach (var (name, value) in variables)
        {
            globals[name] = TemplateValue.From(value);
        }

        var output = new StringBuilder();
        _body.Run(new TemplateScope(globals), output);
        return output.ToString();
    }

    private static void AddFunctions(TemplateScope globals, TimeProvider time)
    {
        void Add(string name, Func<TemplateCall, object?> function) => globals[name] = new TemplateFunction((_, call) => function(call));
        Add("raise_exception", call => throw new TemplateException(TemplateValue.Text(call.Get(0, "message"))));
        Add("namespace", call => new TemplateNamespace(Merged(call)));
        Add("dict", call => Merged(call));
        Add("range", Range);
        Add("strftime_now", call => FormatTime(time.GetLocalNow(), TemplateValue.Text(call.Get(0, "format"))));
    }

    private static OrderedDictionary<string, object?> Merged(TemplateCall call)
    {
        var fields = call.Get(0, "other") is OrderedDictionary<string, object?> given ? new OrderedDictionary<string, object?>(given) : [];
        foreach (var (name, value) in call.Named)
        {
            fields[name] = value;
        }

        return fields;
    }

    private static List<object?> Range(TemplateCall call)
    {
        var numbers = call.Positional.ConvertAll(value => value as long? ?? throw new TemplateException($"a range of {TemplateValue.Name(value)}"));
        var (begin, end, step) = numbers.Count switch
        {
            1 => (0, numbers[0], 1L),
            2 => (numbers[0], numbers[1], 1L),
            3 when numbers[2] != 0 => (numbers[0], numbers[1], numbers[2]),
            _ => throw new TemplateException("a range has an end, or a beginning, an end and a step that is not 0"),
        };
        var items = new List<object?>();
        for (var value = begin; step > 0 ? value < end : value > end; value += step)
        {
            if (items.Count == LongestRange)
            {
                throw new TemplateException($"a range of more than {LongestRange} numbers");
            }

            items.Add(value);
        }

        return items;
    }

    private static string FormatTime(DateTimeOffset now, string format)
    {
        var made = new StringBuilder();
        for (var i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 == format.Length)
            {
                made.Append(format[i]);
                continue;
            }

            var unpadded = format[i + 1] == '-' && i + 2 < format.Length;
            i += unpadded ? 2 : 1;
            var text = format[i] switch
            {
                'd' => now.ToString("dd", CultureInfo.InvariantCulture),
                'e' => now.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2),
                'm' => now.ToString("MM", CultureInfo.InvariantCulture),
                'y' => now.ToString("yy", CultureInfo.InvariantCulture),
                'Y' => now.ToString("yyyy", CultureInfo.InvariantCulture),
                'b' or 'h' => now.ToString("MMM", CultureInfo.InvariantCulture),
                'B' => now.ToString("MMMM", CultureInfo.InvariantCulture),
                'a' => now.ToString("ddd", CultureInfo.InvariantCulture),
                'A' => now.ToString("dddd", CultureInfo.InvariantCulture),
                'H' => now.ToString("HH", CultureInfo.InvariantCulture),
                'I' => now.ToString("hh", CultureInfo.InvariantCulture),
                'M' => now.ToString("mm", CultureInfo.InvariantCulture),
                'S' => now.ToString("ss", CultureInfo.InvariantCulture),
                'p' => now.ToString("tt", CultureInfo.InvariantCulture),
                'j' => now.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
                'F' => now.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
                'T' => now.ToString("HH:mm:ss", CultureInfo.InvariantCulture),
                'z' => now.ToString("zzz", CultureInfo.InvariantCulture).Replace(":", "", StringComparison.Ordinal),
                '%' => "%",
                var other => throw new TemplateException($"strftime_now does not know '%{other}'"),
            };
            made.Append(unpadded ? text.TrimStart('0').PadLeft(1, '0') : text);
        }

        return made.ToString();
    }
}
