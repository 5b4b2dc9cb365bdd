using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Toolkit.Notebook;

namespace Notebook.Tests;

/// <summary>The notebook that opens models of many families: every cell runs, and its tables say what they promise.</summary>
public sealed class OpenModelsNotebookTests : IDisposable
{
    private static readonly string[] Families =
    [
        "llama", "mistral", "mixtral", "qwen2", "qwen3", "gpt2", "gpt_neox", "bloom", "falcon", "gemma2", "phi3", "olmo2", "smollm3", "opt", "mamba", "mamba2", "rwkv",
    ];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task ModelsOfEveryFamilyAreOpenedAndCompared()
    {
        var file = Path.Combine(Notebooks(), "03-open-models.ipynb");
        var (document, result) = await Run.Document(NotebookDocument.Load(file), new() { WorkingFolder = Notebooks(), Parameters = [$"folder={_folder.Path}", "context=4096"] });
        Assert.Null(result.Error);
        var shown = document.Cells.Where(cell => cell.IsCode)
            .Select(cell => string.Join('\n', cell.Json["outputs"]!.AsArray().Select(output => output!["text"] is { } text ? text.Joined() : output.Plain()))).ToArray();

        var table = Single("Families");
        foreach (var family in Families)
        {
            Assert.Matches($@"\s{family}\s+\d", table);
        }

        var errors = Regex.Matches(table, @"\d\.\de[+-]\d+").Select(match => double.Parse(match.Value, CultureInfo.InvariantCulture)).ToArray();
        Assert.Equal(Families.Length, errors.Length);
        Assert.All(errors, error => Assert.InRange(error, 0, 1e-4));
        Assert.Contains("linear biases", table);
        Assert.Contains("rotary (25 %)", table);

        // Keys and values of two heads of 16 dimensions in three layers, 4 bytes a number.
        Assert.Matches(@"llama-gqa.*\s768\s", table);
        Assert.Equal(10, Regex.Count(Single("What follows"), @"(?m)^\s+\S+\s+\S+\s+\d+\.\d %"));

        Assert.Contains("byte-level BPE, split as GPT-2 does", Single("·12345|"));
        Assert.Contains("in 2024 the naive programmers", Single("decoded"));
        Assert.Equal(5, Regex.Count(Single("Qwen 2 as GGUF"), "the same ids"));
        Assert.Matches(@"F32\s+\d+\s+0\.0e\+0\s+100 %", Single("Qwen 2 as GGUF"));
        Assert.Contains("Q6_K", Single("blk.0.attn_q.weight"));
        Assert.Contains("4,096 positions", Single("Weights and cache"));
        Assert.Matches(@"Llama 3\.1 8B[^\n]*\s131072\s", Single("Keys and values of one text"));
        Assert.Matches(@"Llama 3\.1 8B[^\n]*\s16\.0 GiB", Single("Keys and values of one text"));
        Assert.Contains("1.000", Single("Vectors of 64 numbers"));
        Assert.True(File.Exists(Path.Combine(_folder.Path, "qwen2-Q4_0.gguf")));

        string Single(string words) => Assert.Single(shown, text => text.Contains(words, StringComparison.Ordinal));
    }

    private static string Notebooks([CallerFilePath] string path = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(path)!, "..", "..", "notebooks"));
}
