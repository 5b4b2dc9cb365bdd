using System.IO.Compression;
using System.Text.Json;
using CsCheck;
using Toolkit.Text;

namespace Toolkit.Tests.Text;

public sealed class ChatTemplateTests
{
    /// <summary>Uses a map with numbers for keys.</summary>
    private const string Unsupported = "ByteDance-Seed-OSS.jinja";

    /// <summary>Adds a text to one that is marked as safe, by which Jinja begins to escape HTML.</summary>
    private const string Escapes = "meetkai-functionary-medium-v3.1.jinja";

    private static readonly JsonElement _recorded = Read();

    public static TheoryData<string> Templates => [.. _recorded.GetProperty("results").EnumerateArray().Select(result => result.GetProperty("template").GetString()!).Where(name => name is not (Unsupported or Escapes))];

    private static readonly TimeProvider _clock = new Stopped();

    [Theory]
    [MemberData(nameof(Templates))]
    public void WritesWhatJinjaWrites(string name)
    {
        var recorded = _recorded.GetProperty("results").EnumerateArray().Single(result => result.GetProperty("template").GetString() == name);
        var template = ChatTemplate.Parse(recorded.GetProperty("source").GetString()!);
        foreach (var (conversation, expected) in _recorded.GetProperty("conversations").EnumerateArray().Zip(recorded.GetProperty("renders").EnumerateArray()))
        {
            // Where Jinja refuses (null), the template may forbid something that is allowed here, such as changing a list of its own.
            if (expected.ValueKind == JsonValueKind.String)
            {
                Assert.Equal(expected.GetString(), template.Render(Variables(conversation), _clock));
            }
        }
    }

    [Fact]
    public void TheKnownFamiliesAreAmongThem()
    {
        string[] wanted = ["Llama-3.1", "Llama-3.2", "Llama-3.3", "Qwen2.5", "Qwen3-0.6B", "Mistral-Nemo", "gemma-2", "Phi-3.5", "SmolLM3", "DeepSeek-R1"];
        Assert.All(wanted, family => Assert.Contains(Templates, name => name.Data.Contains(family, StringComparison.Ordinal)));
    }

    [Fact]
    public void RefusalsOfATemplateAreItsOwnWords()
    {
        var gemma = Source("google-gemma-2-2b-it.jinja");
        var problem = Assert.Throws<TemplateException>(() => ChatTemplate.Parse(gemma).Render([new("system", "Be brief."), new("user", "Hello")], variables: new Dictionary<string, object?> { ["bos_token"] = "<bos>" }));
        Assert.Contains("System role not supported", problem.Message);
    }

    [Fact]
    public void SaysThatAMapWithNumbersForKeysIsNotSupported()
    {
        var template = ChatTemplate.Parse(Source(Unsupported));
        Assert.Contains("keys that are no texts", Assert.Throws<TemplateException>(() => template.Render([new("user", "Hello")])).Message);
    }

    [Fact]
    public void WritesTheConversationsOfSmolLm()
    {
        // The template of SmolLM and of SmolLM2's first part, which is ChatML.
        const string source = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
        Assert.Equal("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", ChatTemplate.Parse(source).Render([new("user", "Hi")]));
        Assert.Equal("<|im_start|>user\nHi<|im_end|>\n", ChatTemplate.Parse(source).Render([new("user", "Hi")], addGenerationPrompt: false));
    }

    [Theory]
    [InlineData("{{ 7 // 2 }} {{ 7 / 2 }} {{ -7 % 3 }} {{ 2 ** 10 }} {{ 1 + 2 * 3 }}", "3 3.5 2 1024 7")]
    [InlineData("{{ 'abc'[::-1] }} {{ [1,2,3][-2:] }} {{ 'abcdef'[1:-1:2] }} {{ [3,1,2]|sort|join('-') }}", "cba [2, 3] bd 1-2-3")]
    [InlineData("{{ {'a': None, 'b': [true, 1.0, \"x'y\"]} }}", "{'a': None, 'b': [True, 1.0, \"x'y\"]}")]
    [InlineData("{{ {'a': none, 'é': [true, 1.0, '\"']} | tojson }}", "{\"a\": null, \"é\": [true, 1.0, \"\\\"\"]}")]
    [InlineData("{{ {'a': [1, {}]} | tojson(indent=2) }}", "{\n  \"a\": [\n    1,\n    {}\n  ]\n}")]
    [InlineData("{% for x in [1,2,3] if x != 2 %}{{ loop.index }}:{{ x }}{{ ',' if not loop.last }}{% else %}none{% endfor %}", "1:1,2:3")]
    [InlineData("{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}{{ v }}{% endfor %}{% for x in [] %}{% else %}empty{% endfor %}", "a1b2empty")]
    [InlineData("{% set ns = namespace(n=0) %}{% for x in range(5) %}{% if x == 3 %}{% break %}{% endif %}{% if x == 1 %}{% continue %}{% endif %}{% set ns.n = ns.n + x %}{% set n = x %}{% endfor %}{{ ns.n }}{{ n is defined }}", "2False")]
    [InlineData("{% macro f(a, b='B') %}[{{ a }}{{ b }}]{% endmacro %}{{ f('x') }}{{ f('x', b='y') }}{% call f('z') %}{% endcall %}", "[xB][xy][zB]")]
    [InlineData("{% macro f() %}<{{ caller() }}>{% endmacro %}{% call f() %}in{% endcall %}{% filter upper %}up{% endfilter %}{% set x %}a{{ 1 }}{% endset %}{{ x }}", "<in>UPa1")]
    [InlineData("a\n  {% if true %}\n  b\n  {% endif %}\nc\n", "a\n  b\nc")]
    [InlineData("a  {%- if true -%}  b  {%- endif %}\nc {# no #} d", "abc  d")]
    [InlineData("{{ x.y is defined }} {{ missing }}|{{ missing | default('d') }} {{ '' | default('e', true) }}", "False |d e")]
    [InlineData("{{ 'a' in 'abc' and 'z' not in ['y'] and not false }} {{ 1 < 2 < 3 }} {{ none is none }} {{ 'A' ~ 1 ~ true }}", "True True True A1True")]
    [InlineData("{{ ' x '.strip() }}{{ 'a,b,c'.split(',', 1) }}{{ 'hello world'.title() }}{{ '{}-{k}'.format(1, k=2) }}{{ '%s=%d' % ('a', 3) }}", "x['a', 'b,c']Hello World1-2a=3")]
    [InlineData("{{ [{'r': 'a'}, {'r': 'b'}] | selectattr('r', 'equalto', 'b') | map(attribute='r') | list }}{{ ['b', 'a', 'b'] | unique | list }}", "['b']['b', 'a']")]
    [InlineData("{{ strftime_now('%d %b %Y, %A %-d.%-m. %H:%M:%S %j') }}", "07 Mar 2025, Friday 7.3. 09:05:03 066")]
    [InlineData("{{ 'a\nb' | indent(2) }} {{ 'x' | upper | lower }} {{ [1, 2] | length }} {{ '42' | int + 1 }}", "a\n  b x 2 43")]
    public void WritesAsPythonWould(string source, string expected) =>
        Assert.Equal(expected, ChatTemplate.Parse(source).Render(new Dictionary<string, object?> { ["x"] = new Dictionary<string, object?>() }, _clock));

    [Theory]
    [InlineData("{% if x %}", "line 1 of the chat template: 'endif' is missing")]
    [InlineData("a\nb {{ x", "line 2 of the chat template: '}}' is missing")]
    [InlineData("{% include 'x' %}", "'include' is not supported")]
    [InlineData("{{ x | magic }}", "the filter 'magic' is not supported")]
    [InlineData("\n{{ y.z.w }}", "line 2 of the chat template: 'y' is undefined, so it has no 'z'")]
    [InlineData("{{ 'abc }}", "a string is not closed")]
    [InlineData("{{ 1 // 0 }}", "a division by zero")]
    [InlineData("{{ 'a' + 1 }}", "'+' of a text and a number is not possible")]
    [InlineData("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "nested too deep")]
    [InlineData("{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}{{ a }}{% endfor %}{% endfor %}{% endfor %}", "too much")]
    [InlineData("{{ 'x' * 1000000000 }}", "too long")]
    [InlineData("{{ range(10000000) }}", "a range of more than")]
    public void SaysWhatIsWrong(string source, string expected) =>
        Assert.Contains(expected, Assert.Throws<TemplateException>(() => ChatTemplate.Parse(source).Render(new Dictionary<string, object?>())).Message);

    [Theory]
    [InlineData("(")]
    [InlineData("[")]
    [InlineData("not ")]
    [InlineData("-")]
    [InlineData("a if ")]
    [InlineData("1 + ")]
    [InlineData("x|upper|")]
    public void ADeepExpressionIsRefusedOrWorks(string part)
    {
        var source = "{{ " + string.Concat(Enumerable.Repeat(part, 20_000));
        var problem = Record.Exception(() => ChatTemplate.Parse(source + (part[^1] == '|' ? "upper" : "1") + " }}").Render(new Dictionary<string, object?>()));
        Assert.True(problem is null or TemplateException, problem?.ToString());
        if (part is "(" or "[" or "not " or "-")
        {
            Assert.NotNull(problem);
        }
    }

    [Fact]
    public void HostileTemplatesGiveClearExceptions()
    {
        var sources = _recorded.GetProperty("results").EnumerateArray().Select(result => result.GetProperty("source").GetString()!).Where(source => source.Length < 4000).ToArray();
        Assert.NotEmpty(sources);
        Gen.Select(Gen.Int[0, sources.Length - 1], Gen.Int, Gen.Int[1, 4]).Sample((index, seed, changes) =>
        {
            var characters = sources[index].ToList();
            var random = new Random(seed);
            for (; changes > 0; changes--)
            {
                var at = random.Next(characters.Count);
                switch (random.Next(3))
                {
                    case 0:
                        characters.RemoveAt(at);
                        break;
                    case 1:
                        characters.Insert(at, "{}%#()[]'\"|.-+~,:x1 \n"[random.Next(21)]);
                        break;
                    default:
                        characters.RemoveRange(at, Math.Min(characters.Count - at, random.Next(40)));
                        break;
                }
            }

            try
            {
                ChatTemplate.Parse(string.Concat(characters)).Render([new("user", "Hello"), new("assistant", "Hi")]);
            }
            catch (TemplateException problem)
            {
                Assert.NotEmpty(problem.Message);
            }
        }, iter: 2_000);
    }

    [Fact]
    public void ATokenizerWritesConversationsWithItsOwnTokens()
    {
        var folder = Directory.CreateTempSubdirectory("template");
        try
        {
            Texts.Tokenizer.Save(folder.FullName);
            File.WriteAllText(Path.Combine(folder.FullName, "tokenizer_config.json"), """{"eos_token":{"content":"<|endoftext|>"},"chat_template":[{"name":"default","template":"{{ messages[0].content }}{{ eos_token }}"},{"name":"tool_use","template":"x"}]}""");
            var tokenizer = Tokenizer.Load(folder.FullName);
            Assert.Equal("Hi<|endoftext|>", tokenizer.ApplyChatTemplate([new("user", "Hi")]));
            File.WriteAllText(Path.Combine(folder.FullName, "chat_template.jinja"), "{{ messages | length }}{{ n }}\n");
            Assert.Equal("1two", Tokenizer.Load(folder.FullName).ApplyChatTemplate([new("user", "Hi")], variables: new Dictionary<string, object?> { ["n"] = "two" }));
            Assert.Throws<InvalidOperationException>(() => Texts.Tokenizer.ApplyChatTemplate([new("user", "Hi")]));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static string Source(string name) => _recorded.GetProperty("results").EnumerateArray().Single(result => result.GetProperty("template").GetString() == name).GetProperty("source").GetString()!;

    private static Dictionary<string, object?> Variables(JsonElement conversation)
    {
        var variables = conversation.EnumerateObject().ToDictionary(field => field.Name, field => (object?)field.Value);
        (variables["bos_token"], variables["eos_token"]) = ("<s>", "</s>");
        return variables;
    }

    private static JsonElement Read()
    {
        using var stream = new BrotliStream(File.OpenRead(Path.Combine(Fixtures.Folder, "templates", "templates.json.br")), CompressionMode.Decompress);
        using var document = JsonDocument.Parse(stream);
        return document.RootElement.Clone();
    }

    private sealed class Stopped : TimeProvider
    {
        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

        public override DateTimeOffset GetUtcNow() => new(2025, 3, 7, 9, 5, 3, TimeSpan.Zero);
    }
}
