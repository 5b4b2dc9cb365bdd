using Toolkit.Notebook;

namespace Notebook.Tests;

public sealed class InspectCommandTests
{
    private static string FixtureFolder { get; } = Find();

    private static string Fixture(params string[] parts) => Path.Combine([FixtureFolder, .. parts]);

    [Fact]
    public void A_folder_shows_its_tree_configuration_and_memory()
    {
        var (code, told, problems) = Execute(Fixture("references", "llama-gqa"), 4096);
        Assert.Equal((0, ""), (code, problems));
        Assert.Contains("model.safetensors: 30 tensors, 187.8 k numbers, 751.4 kB", told);
        Assert.Contains("types: 30 of F32 (751.4 kB)", told);
        Assert.Contains("└─ model", told);
        Assert.Matches(@"│  └─ 0-2 +3 alike, each +184\.8 kB", told);
        Assert.Matches(@"├─ q_proj\.weight +F32 \[64, 64\] +16\.4 kB", told);
        Assert.Contains("\"num_key_value_heads\": 2", told);
        Assert.Contains("memory for one sequence of 4,096 positions (the model was made for 256)", told);

        // 2 · 3 layers · 2 heads · 16 dimensions · 4 bytes.
        Assert.Matches(@"float32 +751\.4 kB +3\.1 MB +768 B +3\.9 MB", told);
    }

    [Fact]
    public void A_gguf_file_shows_its_types_and_metadata_too()
    {
        var (code, told, problems) = Execute(Fixture("gguf", "llama-q4_k_m.gguf"), null);
        Assert.Equal((0, ""), (code, problems));
        Assert.Contains("types: 5 of Q4_K (165.9 kB), 3 of Q6_K (161.3 kB), 3 of F32 (3.1 kB)", told);
        Assert.Matches(@"attn_v\.weight +Q6_K \[128, 256\] +26\.9 kB", told);
        Assert.Contains("tokenizer.ggml.tokens = String[384] ", told);
        Assert.Contains("\"model_type\": \"llama\"", told);
        Assert.Matches(@"as stored, cache 16 b +330\.2 kB +65\.5 kB", told);
    }

    [Fact]
    public void What_is_not_known_is_said()
    {
        Assert.Contains("There is no config.json beside it", Execute(Fixture("torch", "tensors.safetensors"), null).Told);
        var (code, told, _) = Execute(Fixture("gguf", "ggml-types.gguf"), null);
        Assert.Equal(0, code);
        Assert.Contains("q2_K", told);
        Assert.Contains("The memory of positions is not known: ", told);
        Assert.Contains("the architecture \"none\" is not supported", told);
    }

    [Theory]
    [InlineData("evil.bin", "the pickle asks for posix.system")]
    [InlineData("missing.gguf", "it cannot be read")]
    public void What_is_wrong_is_told_in_one_line(string file, string expected)
    {
        var (code, _, problems) = Execute(Fixture("torch", file), null);
        Assert.Equal(2, code);
        Assert.Contains(expected, problems);
        Assert.Single(problems.Trim().Split('\n'));
    }

    private static (int Code, string Told, string Problems) Execute(string path, int? context)
    {
        using var told = new StringWriter();
        using var problems = new StringWriter();
        return (InspectCommand.Run(path, context, told, problems), told.ToString(), problems.ToString());
    }

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var path = Path.Combine(folder.FullName, "tests", "fixtures");
            if (Directory.Exists(path))
            {
                return path;
            }
        }

        throw new DirectoryNotFoundException("there is no tests/fixtures");
    }
}
