using System.Text.Json.Nodes;
using Toolkit.Text;

namespace Toolkit.Tests.Text;

/// <summary>Files that Hugging Face's tokenizers trained and saved, and the ids that it gives for 214 awkward texts.</summary>
public sealed class HuggingFaceTokenizerTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("tokenizer");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("gpt2-split")]
    [InlineData("llama3-split")]
    [InlineData("wordpiece")]
    [InlineData("unigram")]
    public void GivesTheSameIds(string name)
    {
        var folder = Path.Combine(Fixtures.Folder, "tokenizers", name);
        Check(Tokenizer.Load(folder), folder);
    }

    [Fact]
    public void PossessiveQuantifiersMeanTheSame()
    {
        // As GPT-4 writes them; they give nothing back, which these alternatives never need.
        var source = Path.Combine(Fixtures.Folder, "tokenizers", "llama3-split");
        var json = JsonNode.Parse(File.ReadAllText(Path.Combine(source, "tokenizer.json")))!;
        var pattern = json["pre_tokenizer"]!["pretokenizers"]![0]!["pattern"]!;
        var expression = (string)pattern["Regex"]!;
        var possessive = expression.Replace(@"\p{L}+", @"\p{L}++", StringComparison.Ordinal);
        Assert.NotEqual(expression, possessive);
        pattern["Regex"] = possessive;
        File.WriteAllText(Path.Combine(_folder.FullName, "tokenizer.json"), json.ToJsonString());
        Check(Tokenizer.Load(_folder.FullName), source);
    }

    [Fact]
    public void AMergeThatIsListedTwiceChangesNothing()
    {
        var source = Path.Combine(Fixtures.Folder, "tokenizers", "gpt2-split");
        var json = JsonNode.Parse(File.ReadAllText(Path.Combine(source, "tokenizer.json")))!;
        var merges = json["model"]!["merges"]!.AsArray();
        merges.Add(merges[0]!.DeepClone());
        File.WriteAllText(Path.Combine(_folder.FullName, "tokenizer.json"), json.ToJsonString());
        Check(Tokenizer.Load(_folder.FullName), source);
    }

    [Theory]
    [InlineData("wordpiece")]
    [InlineData("unigram")]
    public void GivesTheSameAroundAndBack(string name)
    {
        var folder = Path.Combine(Fixtures.Folder, "tokenizers", name);
        var tokenizer = Tokenizer.Load(folder);
        foreach (var item in Expected(folder))
        {
            var text = (string)item!["text"]!;
            var special = Ids(item["special"]);
            Assert.Equal(special, tokenizer.Encode(text, parseSpecialTokens: true, addSpecialTokens: true));
            Assert.Equal((string)item["decoded"]!, tokenizer.Decode(special));
            Assert.Equal((string)item["skipped"]!, tokenizer.Decode(special, skipSpecialTokens: true));
            var decoder = new IncrementalDecoder(tokenizer);
            Assert.Equal((string)item["decoded"]!, string.Concat(special.Select(decoder.Append)) + decoder.Flush());
            if (item["pair"] is not null)
            {
                var (ids, types) = tokenizer.EncodePair(text, "and another", parseSpecialTokens: true);
                Assert.Equal(Ids(item["pair"]), ids);
                Assert.Equal(Ids(item["types"]), types);
            }
        }
    }

    private static int[] Ids(JsonNode? ids) => [.. ids!.AsArray().Select(id => (int)id!)];

    private static JsonNode?[] Expected(string folder) => [.. JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "expected.json")))!.AsArray()
        .Where(item => !((string)item!["text"]!).AsSpan().ContainsAny(Texts.NewerThanTheirTables))];

    private static void Check(Tokenizer tokenizer, string folder)
    {
        var expected = Expected(folder);
        Assert.True(expected.Length > 200);
        foreach (var item in expected)
        {
            var text = (string)item!["text"]!;
            Assert.Equal(Ids(item["ids"]), tokenizer.Encode(text, parseSpecialTokens: true));
        }
    }
}
