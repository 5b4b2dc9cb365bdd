using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using Toolkit.Text;

namespace Toolkit.Tests.Text;

public sealed class TokenizerTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("tokenizer");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void EveryStringComesBack() => Texts.Any.Sample(text => Assert.Equal(text, Texts.Tokenizer.Decode(Texts.Tokenizer.Encode(text))), iter: 50_000);

    [Fact]
    public void EveryLoneSurrogateComesBack()
    {
        for (var surrogate = '\uD800'; surrogate <= '\uDFFF'; surrogate++)
        {
            foreach (var text in new[] { $"{surrogate}", $"a{surrogate}b", $" {surrogate} " })
            {
                Assert.Equal(text, Texts.Tokenizer.Decode(Texts.Tokenizer.Encode(text)));
            }
        }
    }

    [Fact]
    public void OurEncoderEqualsTheLibrarys() => Texts.Any.Where(text => text.Length > 0 && Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)) == text).Sample(text =>
    {
        var own = new List<int>();
        Texts.Tokenizer.EncodeDirectly(text, own);
        Assert.Equal(own, Texts.Tokenizer.Encode(text));
    }, iter: 20_000);

    [Fact]
    public void LongPiecesAreMergedAsShortOnesAre() => Gen.String[Gen.Char["theunio"], 60, 400].Sample(piece =>
    {
        var own = new List<int>();
        Texts.Tokenizer.EncodeDirectly(piece, own);
        Assert.Equal(Texts.Tokenizer.Encode(piece), own);
        Assert.Equal(piece, Texts.Tokenizer.Decode([.. own]));
    }, iter: 500);

    [Fact]
    public void AnUnbrokenTextOfAMillionLettersIsEncodedInGoodTime()
    {
        var text = string.Create(1_000_000, 0, (letters, _) => letters.Fill('e'));
        var own = new List<int>();
        Texts.Tokenizer.EncodeDirectly(text, own);
        Assert.Equal(text, Texts.Tokenizer.Decode([.. own]));
    }

    [Fact]
    public void UsesTheVocabulary()
    {
        var ids = Texts.Tokenizer.Encode("the people of the union");
        Assert.Equal(["the", " people", " of", " the", " union"], ids.Select(Texts.Tokenizer.TokenText));
        Assert.Equal("the people of the union"u8.ToArray(), ids.SelectMany(id => Texts.Tokenizer.TokenBytes(id).ToArray()));
    }

    [Fact]
    public void SpecialTokensAreTextUnlessAskedFor()
    {
        var tokenizer = Texts.Tokenizer;
        const string text = "one<|endoftext|>two";
        Assert.DoesNotContain(tokenizer.EndOfTextId, tokenizer.Encode(text));
        var ids = tokenizer.Encode(text, parseSpecialTokens: true);
        Assert.Equal([.. tokenizer.Encode("one"), tokenizer.EndOfTextId, .. tokenizer.Encode("two")], ids);
        Assert.Equal(text, tokenizer.Decode(ids));
        Assert.Equal("onetwo", tokenizer.Decode(ids, skipSpecialTokens: true));
        Assert.Equal(0, tokenizer.TokenBytes(tokenizer.EndOfTextId).Length);
        Assert.Equal("<|endoftext|>", tokenizer.TokenText(tokenizer.EndOfTextId));
    }

    [Fact]
    public void TokensThatArePartsOfCharactersAreReadable() => Assert.Equal("<0xF0>", Texts.Tokenizer.TokenText(0xF0));

    [Theory]
    [InlineData(-1)]
    [InlineData(400)]
    public void RefusesIdsOutsideOfTheVocabulary(int id)
    {
        Assert.Contains($"token {id} is not in the vocabulary of 400", Assert.Throws<ArgumentOutOfRangeException>(() => Texts.Tokenizer.Decode([id])).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => Texts.Tokenizer.TokenText(id));
        Assert.Throws<ArgumentOutOfRangeException>(() => Texts.Tokenizer.TokenBytes(id));
    }

    [Fact]
    public void SavedAndLoadedItIsTheSame()
    {
        Texts.Tokenizer.Save(_folder.FullName);
        var loaded = Tokenizer.Load(_folder.FullName);
        Assert.Equal(Texts.Tokenizer.VocabularySize, loaded.VocabularySize);
        Assert.Equal(Texts.Tokenizer.EndOfTextId, loaded.EndOfTextId);
        Assert.Equal(Texts.Tokenizer.Encode(Texts.Sample), loaded.Encode(Texts.Sample));
        Assert.Equal(Enumerable.Range(0, 400).Select(Texts.Tokenizer.TokenText), Enumerable.Range(0, 400).Select(loaded.TokenText));

        var again = Path.Combine(_folder.FullName, "again.json");
        loaded.Save(again);
        Assert.Equal(File.ReadAllText(Path.Combine(_folder.FullName, "tokenizer.json")), File.ReadAllText(again));
    }

    [Fact]
    public void AConfigurationThatWasLoadedIsKept()
    {
        Texts.Tokenizer.Save(_folder.FullName);
        var path = Path.Combine(_folder.FullName, "tokenizer_config.json");
        File.WriteAllText(path, """{"chat_template":"{{ messages }}","eos_token":{"content":"<|endoftext|>"}}""");
        var loaded = Tokenizer.Load(_folder.FullName);
        Assert.Equal(399, loaded.EndOfTextId);
        var before = File.ReadAllText(path);
        File.Delete(path);
        loaded.Save(_folder.FullName);
        Assert.Equal(before, File.ReadAllText(path));
    }

    [Fact]
    public void WritesWhatHuggingFaceReads()
    {
        Texts.Tokenizer.Save(_folder.FullName);
        var json = JsonNode.Parse(File.ReadAllText(Path.Combine(_folder.FullName, "tokenizer.json")))!;
        Assert.Equal("BPE", (string?)json["model"]!["type"]);
        Assert.Equal("ByteLevel", (string?)json["pre_tokenizer"]!["type"]);
        Assert.Equal("ByteLevel", (string?)json["decoder"]!["type"]);
        Assert.Equal(399, json["model"]!["vocab"]!.AsObject().Count);
        Assert.Contains(json["model"]!["merges"]!.AsArray(), merge => (string?)merge![0] == "Ġ" && (string?)merge[1] == "the");
        Assert.True((bool)json["added_tokens"]![0]!["special"]!);
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(_folder.FullName, "tokenizer_config.json")))!;
        Assert.Equal("<|endoftext|>", (string?)config["eos_token"]);
    }

    [Theory]
    [InlineData("merges as text")]
    [InlineData("split before bytes")]
    [InlineData("ignore merges")]
    [InlineData("prefix space")]
    public void ReadsTheFormsThatOthersWrite(string form)
    {
        Texts.Tokenizer.Save(_folder.FullName);
        var path = Path.Combine(_folder.FullName, "tokenizer.json");
        var json = JsonNode.Parse(File.ReadAllText(path))!;
        switch (form)
        {
            case "merges as text":
                json["model"]!["merges"] = new JsonArray([.. json["model"]!["merges"]!.AsArray().Select(pair => (JsonNode)$"{pair![0]} {pair[1]}")]);
                break;
            case "split before bytes":
                json["pre_tokenizer"] = JsonNode.Parse(
                    """
                    { "type": "Sequence", "pretokenizers": [
                      { "type": "Split", "pattern": { "Regex": "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+" }, "behavior": "Isolated", "invert": false },
                      { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false } ] }
                    """);
                break;
            case "ignore merges":
                json["model"]!["ignore_merges"] = true;
                break;
            default:
                json["pre_tokenizer"]!["add_prefix_space"] = true;
                break;
        }

        File.WriteAllText(path, json.ToJsonString());
        var loaded = Tokenizer.Load(path);
        const string text = "the people don't forget 1,787 things";
        Assert.Equal(Texts.Tokenizer.Encode(form == "prefix space" ? " " + text : text), loaded.Encode(text));
    }

    [Theory]
    [InlineData("{", "is not a tokenizer")]
    [InlineData("[]", "is not a tokenizer")]
    [InlineData("null", "is not a tokenizer")]
    [InlineData("{}", "model is missing")]
    [InlineData("""{"model":[]}""", "model is not an object")]
    [InlineData("""{"model":{"type":"Morfessor"}}""", "model is of type Morfessor, which is not supported")]
    [InlineData("""{"model":{"type":"WordPiece"}}""", "model.vocab is missing")]
    [InlineData("""{"model":{"type":"WordPiece","vocab":{"a":0}}}""", "the vocabulary lacks the unknown token '[UNK]'")]
    [InlineData("""{"model":{"type":"Unigram","vocab":[["a"]]}}""", "model.vocab[0] is not a piece and its score")]
    [InlineData("""{"model":{"type":"Unigram","vocab":[["a",0]],"unk_id":1}}""", "model.unk_id is 1, but the vocabulary has 1 pieces")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":[],"dropout":0.1}}""", "model.dropout is 0.1")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Magic"}]}}""", "normalizer.normalizers[1] is of type Magic")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"Split","pattern":{"Regex":"("},"behavior":"Isolated"}}""", "the expression '(' cannot be used")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"Split","pattern":{"Regex":"a"},"behavior":"Often"}}""", "pre_tokenizer.behavior is Often")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"post_processor":{"type":"BertProcessing","sep":["a"],"cls":["a",0]}}""", "post_processor.sep is not a token and its id")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":["a b"]}}""", "the vocabulary lacks 'ab'")]
    [InlineData("""{"model":{"type":"BPE","vocab":{},"merges":[]}}""", "its vocabulary is empty")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"added_tokens":[{"id":9000000,"content":"x"}]}""", "the id 9000000, which is no id of a vocabulary of 2 tokens")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":"b"},"merges":[]},"pre_tokenizer":{"type":"ByteLevel"},"decoder":{"type":"ByteLevel"}}""", "is not a tokenizer")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":["a"]},"pre_tokenizer":{"type":"ByteLevel"},"decoder":{"type":"ByteLevel"}}""", "is not of two tokens")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":-5},"merges":[]},"pre_tokenizer":{"type":"ByteLevel"},"decoder":{"type":"ByteLevel"}}""", "has the id -5")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":1,"b":1},"merges":[]},"pre_tokenizer":{"type":"ByteLevel"},"decoder":{"type":"ByteLevel"}}""", "have the same id 1")]
    public void NamesTheFileAndWhatIsWrong(string json, string expected)
    {
        var path = Path.Combine(_folder.FullName, "tokenizer.json");
        File.WriteAllText(path, json);
        var problem = Assert.ThrowsAny<Exception>(() => Tokenizer.Load(_folder.FullName));
        Assert.True(problem is InvalidDataException or NotSupportedException, problem.ToString());
        Assert.Contains(path, problem.Message);
        Assert.Contains(expected, problem.Message);
    }

    [Fact]
    public void SaysThatThereIsNoTokenizer() => Assert.Contains("tokenizer.json", Assert.Throws<FileNotFoundException>(() => Tokenizer.Load(_folder.FullName)).Message);

    [Fact]
    public void ServesSeveralThreads()
    {
        var expected = Texts.Tokenizer.Encode(Texts.Sample);
        Parallel.For(0, 200, _ => Assert.Equal(expected, Texts.Tokenizer.Encode(Texts.Sample)));
    }
}
