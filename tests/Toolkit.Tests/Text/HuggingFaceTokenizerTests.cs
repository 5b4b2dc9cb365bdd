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
        var possessive = expression.Replace(@"\p{L}+", @"\p{L}++", StringComparison.Ordinal).Replace(@"\p{N}{1,3}", @"\p{N}{1,3}+", StringComparison.Ordinal);
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

    private static void Check(Tokenizer tokenizer, string folder)
    {
        var expected = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "expected.json")))!.AsArray();
        Assert.True(expected.Count > 200);
        foreach (var item in expected)
        {
            var text = (string)item!["text"]!;
            Assert.Equal(item["ids"]!.AsArray().Select(id => (int)id!), tokenizer.Encode(text, parseSpecialTokens: true));
        }
    }
}
