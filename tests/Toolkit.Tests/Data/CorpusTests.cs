using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Toolkit.Data;

namespace Toolkit.Tests.Data;

public sealed class CorpusTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("toolkit-corpus-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_data_set_of_the_repository_opens_by_name_with_its_licence_and_split()
    {
        var corpus = Corpus.Open("sotu");
        Assert.Equal("sotu", corpus.Name);
        Assert.Contains("CC0", corpus.Licence, StringComparison.Ordinal);
        Assert.Contains("stdlib", corpus.Origin, StringComparison.Ordinal);
        Assert.Equal(210, corpus.Train.Count);
        Assert.Equal(23, corpus.Validation.Count);
        Assert.StartsWith("Fellow-Citizens of the Senate", corpus.Train[0], StringComparison.Ordinal);
        Assert.Equal(10_761_158, corpus.Train.Concat(corpus.Validation).Sum(d => (long)Encoding.UTF8.GetByteCount(d)));
        Assert.DoesNotContain(corpus.Train, d => d.Contains('\n', StringComparison.Ordinal));
    }

    [Fact]
    public void Every_tenth_document_is_validation()
    {
        var corpus = Corpus.FromText("numbers", Enumerable.Range(1, 35).Select(i => $"{i}"));
        Assert.Equal(["10", "20", "30"], corpus.Validation);
        Assert.Equal(32, corpus.Train.Count);
        Assert.DoesNotContain("20", corpus.Train);
        Assert.Empty(Corpus.FromText("numbers", ["1", "2"], validationEvery: 0).Validation);
    }

    [Fact]
    public void A_sample_is_spread_over_the_corpus_and_never_longer_than_it()
    {
        var corpus = Corpus.FromText("numbers", Enumerable.Range(0, 100).Select(i => $"{i}"), validationEvery: 0);
        Assert.Equal(["0", "25", "50", "75"], corpus.Sample(4));
        Assert.Equal(corpus.Train, corpus.Sample(1000));
        Assert.Empty(corpus.Sample(0));

        var smaller = Corpus.FromText("numbers", Enumerable.Range(1, 100).Select(i => $"{i}"), licence: "none").Take(2);
        Assert.Equal(["1", "51"], smaller.Train);
        Assert.Equal(["10", "60"], smaller.Validation);
        Assert.Equal("none", smaller.Licence);
    }

    [Fact]
    public void A_folder_opens_and_a_packed_file_of_a_user_too()
    {
        Write("a.txt", Encoding.UTF8.GetBytes("one\n\ntwo\n\n\n\nthree\n"));
        WriteManifest("a.txt");
        Assert.Equal(["one", "two", "three"], Corpus.Open(_folder).Train);

        using (var packed = new GZipStream(File.Create(Path.Combine(_folder, "b.gz")), CompressionLevel.Fastest))
        {
            packed.Write("uno--dos"u8);
        }

        var corpus = Corpus.FromFile(Path.Combine(_folder, "b.gz"), separator: "--", validationEvery: 2);
        Assert.Equal(["uno"], corpus.Train);
        Assert.Equal(["dos"], corpus.Validation);
    }

    [Fact]
    public void A_changed_file_is_refused_with_both_checksums()
    {
        Write("a.txt", "before"u8.ToArray());
        WriteManifest("a.txt");
        Write("a.txt", "aftern"u8.ToArray());
        var message = Assert.Throws<InvalidDataException>(() => Corpus.Open(_folder)).Message;
        Assert.Contains(Path.Combine(_folder, "a.txt"), message, StringComparison.Ordinal);
        Assert.Contains(Hash("before"u8), message, StringComparison.Ordinal);
        Assert.Contains(Hash("aftern"u8), message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_missing_or_malformed_is_named()
    {
        Assert.Contains("sotu", Assert.Throws<DirectoryNotFoundException>(() => Corpus.Open("no-such-data")).Message, StringComparison.Ordinal);
        Assert.Throws<DirectoryNotFoundException>(() => Corpus.Open("../datasets/no-such-data"));
        Assert.Contains("corpus.json", Assert.Throws<InvalidDataException>(() => Corpus.Open(_folder)).Message, StringComparison.Ordinal);

        Write("corpus.json", "{ \"name\": "u8.ToArray());
        Assert.Contains("not a manifest", Assert.Throws<InvalidDataException>(() => Corpus.Open(_folder)).Message, StringComparison.Ordinal);
        Write("corpus.json", "{ \"name\": \"x\" }"u8.ToArray());
        Assert.Contains("licence", Assert.Throws<InvalidDataException>(() => Corpus.Open(_folder)).Message, StringComparison.OrdinalIgnoreCase);

        WriteManifest("gone.txt", new string('0', 64), 3);
        Assert.Contains("gone.txt is missing", Assert.Throws<InvalidDataException>(() => Corpus.Open(_folder)).Message, StringComparison.Ordinal);
        Write("a.txt", [0x61, 0xFF]);
        WriteManifest("a.txt");
        Assert.Contains("a.txt cannot be read as text", Assert.Throws<InvalidDataException>(() => Corpus.Open(_folder)).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidDataException>(() => Corpus.FromText("empty", [""]));
    }

    [Theory]
    [InlineData("../outside.txt")]
    [InlineData("sub/../../outside.txt")]
    [InlineData("/etc/hostname")]
    public void A_manifest_cannot_reach_outside_of_its_folder(string path)
    {
        WriteManifest(path, new string('0', 64), 3);
        Assert.Contains("outside of its folder", Assert.Throws<InvalidDataException>(() => Corpus.Open(_folder)).Message, StringComparison.Ordinal);
    }

    private static string Hash(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    private void Write(string name, byte[] bytes) => File.WriteAllBytes(Path.Combine(_folder, name), bytes);

    private void WriteManifest(string file)
    {
        var bytes = File.ReadAllBytes(Path.Combine(_folder, file));
        WriteManifest(file, Hash(bytes), bytes.Length);
    }

    private void WriteManifest(string file, string hash, long bytes) => Write("corpus.json", JsonSerializer.SerializeToUtf8Bytes(new
    {
        name = "own",
        title = "own text",
        licence = "own",
        origin = "here",
        files = new[] { new { path = file, sha256 = hash, bytes } },
        separator = "\n\n",
        validationEvery = 10,
    }));
}
