using System.IO.Compression;
using System.Text.Json;
using Toolkit.Text;

namespace Toolkit.Tests.Text;

/// <summary>What each normalizer, pre-tokenizer and decoder of Hugging Face's tokenizers makes of 214 awkward texts, recorded from it (fixtures/tokenizers/make).</summary>
public sealed class HuggingFaceComponentTests
{
    private static readonly string[] _lines = ReadLines();

    public static TheoryData<int, string> Components => [.. Enumerable.Range(1, _lines.Length - 1).Select(line => (line, Name(line)))];

    [Theory]
    [MemberData(nameof(Components))]
    public void GivesTheSame(int line, string name)
    {
        Assert.NotEmpty(name);
        var texts = JsonSerializer.Deserialize<string[]>(_lines[0])!;
        using var document = JsonDocument.Parse(_lines[line]);
        var component = document.RootElement;
        var json = new JsonFields(component.GetProperty("json"), "component");
        var results = component.GetProperty("results").EnumerateArray().ToArray();
        switch (component.GetProperty("kind").GetString())
        {
            case "normalizer":
                var normalizer = Normalizer.Read(json)!;
                Check(texts, results, text => normalizer.Normalize(text), result => result.GetString()!);
                break;
            case "pre_tokenizer":
                var steps = PreTokenizer.Read(json);
                Check(texts, results, text => Join(Split(steps, text)), result => Join(result.EnumerateArray().Select(piece => piece.GetString()!)));
                break;
            default:
                var decoder = TokenDecoder.Read(json)!;
                var tokens = component.GetProperty("tokens").EnumerateArray().Select(list => list.EnumerateArray().Select(token => token.GetString()!).ToList()).ToArray();
                Check(tokens, results, list => string.Concat(decoder.Decode(list)), result => result.GetString()!);
                break;
        }
    }

    private static void Check<T>(T[] inputs, JsonElement[] results, Func<T, string> own, Func<JsonElement, string> theirs)
    {
        Assert.Equal(results.Length, inputs.Length);
        var wrong = inputs.Zip(results).Where(pair => !(pair.First is string text && text.AsSpan().ContainsAny(Texts.NewerThanTheirTables)) && own(pair.First) != theirs(pair.Second))
            .Select(pair => $"{JsonSerializer.Serialize(pair.First)}\n  theirs {JsonSerializer.Serialize(theirs(pair.Second))}\n  own    {JsonSerializer.Serialize(own(pair.First))}").ToArray();
        Assert.True(wrong.Length == 0, $"{wrong.Length} of {inputs.Length}\n{string.Join('\n', wrong.Take(5))}");
    }

    private static string Join(IEnumerable<string> pieces) => string.Join('\u241F', pieces);

    private static IEnumerable<string> Split(IReadOnlyList<PreTokenizer> steps, string text)
    {
        List<TextSlice> parts = text.Length == 0 ? [] : [new(text, 0, text.Length, true)];
        foreach (var step in steps)
        {
            var finer = new List<TextSlice>();
            parts.ForEach(part => step.Split(part, finer));
            parts = finer;
        }

        return parts.Select(part => part.Span.ToString());
    }

    private static string Name(int line)
    {
        using var document = JsonDocument.Parse(_lines[line]);
        return document.RootElement.GetProperty("json").GetRawText() is { Length: > 160 } json ? json[..160] : document.RootElement.GetProperty("json").GetRawText();
    }

    private static string[] ReadLines()
    {
        using var reader = new StreamReader(new BrotliStream(File.OpenRead(Path.Combine(Fixtures.Folder, "tokenizers", "components.jsonl.br")), CompressionMode.Decompress));
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
