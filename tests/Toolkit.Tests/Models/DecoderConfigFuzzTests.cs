using System.Text;
using System.Text.Json.Nodes;
using Toolkit.Models;
using Decoder = Toolkit.Models.Decoder;

namespace Toolkit.Tests.Models;

/// <summary>A configuration is a file from a stranger: whatever it says, it is read in little memory or refused in words.</summary>
public sealed class DecoderConfigFuzzTests : IDisposable
{
    private const int Inputs = 100_000;
    private const int Seed = 4711;

    private static readonly string[] Values =
    [
        "0", "-1", "1", "2", "3", "7", "64", "0.5", "1e-6", "1e308", "-1e308", "1e999", "2147483647", "2147483648", "-2147483648", "9223372036854775807", "99999999999999999999",
        "null", "true", "false", "\"\"", "\"silu\"", "\"gelu\"", "\"default\"", "\"\\u0000\"", "\"\\uD800\"", "[]", "[0]", "[1,2,3]", "[null]", "[\"full_attention\"]", "[\"sliding_attention\",1]",
        "{}", """{"rope_type":"yarn","factor":4}""", """{"type":"dynamic","factor":1e300}""", """{"rope_type":"longrope","short_factor":[1],"long_factor":[2]}""",
        """{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":1}""", """{"rope_type":5}""", "[[[[[[]]]]]]",
    ];

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("config-fuzz");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void EveryMutatedFileIsReadOrRefusedInWords()
    {
        var random = new Random(Seed);
        var files = Files();
        var (read, refused, largest) = (0, 0, 0L);
        for (var i = 0; i < Inputs; i++)
        {
            var text = Mutate(files[random.Next(files.Length)], random);
            var before = GC.GetAllocatedBytesForCurrentThread();
            if (Read(text) is null)
            {
                refused++;
            }
            else
            {
                read++;
            }

            largest = Math.Max(largest, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{Inputs} files: {read} read, {refused} refused; most memory {largest} bytes");
        Assert.InRange(read, Inputs / 50, Inputs);
        Assert.InRange(refused, Inputs / 50, Inputs);

        // The longest list a configuration makes is an entry a layer, and layers are at most 65,536.
        Assert.InRange(largest, 0, 8 << 20);
    }

    [Fact]
    public void WhatIsReadCanBeWrittenAndReadAgain()
    {
        var random = new Random(Seed + 1);
        var files = Files();
        var written = 0;
        for (var i = 0; i < Inputs / 10; i++)
        {
            if (Read(Mutate(files[random.Next(files.Length)], random)) is { } config)
            {
                Assert.Equal(config, DecoderConfig.FromJson(config.ToJson()));
                written++;
            }
        }

        Assert.InRange(written, Inputs / 500, Inputs);
    }

    [Theory]
    [InlineData("vocab_size", 2_000_000_000)] // 128 GB
    [InlineData("hidden_size", 1_000_000)]
    [InlineData("num_hidden_layers", 60_000)]
    [InlineData("intermediate_size", 2_000_000_000)]
    [InlineData("num_attention_heads", 1_000_000)]
    public void AConfigurationLargerThanItsWeightsIsRefusedBeforeMemoryIsTaken(string field, int value)
    {
        using (var model = Decoder.Create(DecoderConfig.Llama(2, 16, 2, 1, 20), 1))
        {
            model.Save(_folder.FullName);
        }

        var path = Path.Combine(_folder.FullName, DecoderConfig.FileName);
        var json = (JsonObject)JsonNode.Parse(File.ReadAllText(path))!;
        json[field] = value;
        File.WriteAllText(path, json.ToJsonString());
        Assert.Contains(_folder.FullName, Assert.Throws<Toolkit.Checkpoints.CheckpointException>(() => Decoder.Load(_folder.FullName)).Message);
    }

    [Fact]
    public void AFileTooLargeForAConfigurationIsRefused()
    {
        using (var file = File.Create(Path.Combine(_folder.FullName, DecoderConfig.FileName)))
        {
            file.SetLength(17 << 20);
        }

        Assert.Contains("are more than a configuration has", Assert.Throws<InvalidDataException>(() => DecoderConfig.Load(_folder.FullName)).Message);
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("")]
    [InlineData("{\"model_type\":\"llama\",\"model_type\":\"llama\"}")]
    public void WhatIsNoConfigurationIsNamedWithItsFile(string text)
    {
        var path = Path.Combine(_folder.FullName, DecoderConfig.FileName);
        File.WriteAllText(path, text);
        Assert.Contains(path, Assert.Throws<InvalidDataException>(() => DecoderConfig.Load(_folder.FullName)).Message);
    }

    /// <summary>As <see cref="DecoderConfig.Load"/> does it, less the file. Any other exception fails the test.</summary>
    private static DecoderConfig? Read(string text)
    {
        JsonObject? json;
        try
        {
            json = JsonNode.Parse(text) as JsonObject;
        }
        catch (System.Text.Json.JsonException)
        {
            return null;
        }

        try
        {
            return json is null ? null : DecoderConfig.FromJson(json);
        }
        catch (Exception problem) when (problem is NotSupportedException or InvalidDataException)
        {
            Assert.NotEmpty(problem.Message);
            Assert.InRange(problem.Message.Length, 1, 2000);
            return null;
        }
    }

    private static string Mutate(string text, Random random)
    {
        for (var times = random.Next(1, 4); times > 0; times--)
        {
            text = random.Next(4) switch
            {
                0 => Garble(text, random),
                1 => text[..random.Next(text.Length + 1)] + text[random.Next(text.Length + 1)..],
                _ => Replace(text, random),
            };
        }

        return text;
    }

    private static string Garble(string text, Random random)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        if (bytes.Length > 0)
        {
            bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
        }

        return Encoding.UTF8.GetString(bytes);
    }

    /// <summary>Another value for a field, one field less, or the value of one field for another.</summary>
    private static string Replace(string text, Random random)
    {
        try
        {
            return JsonNode.Parse(text) is JsonObject { Count: > 0 } json ? Replace(json, random) : text;
        }
        catch (Exception problem) when (problem is System.Text.Json.JsonException or ArgumentException or InvalidOperationException)
        {
            return text; // what an earlier mutation broke
        }
    }

    private static string Replace(JsonObject json, Random random)
    {
        var names = json.Select(pair => pair.Key).ToArray();
        var name = names[random.Next(names.Length)];
        if (random.Next(5) == 0)
        {
            json.Remove(name);
            return json.ToJsonString();
        }

        var value = Values[random.Next(Values.Length)];
        var body = string.Join(",", json.Select(pair => $"{JsonValue.Create(pair.Key).ToJsonString()}:{(pair.Key == name ? value : pair.Value?.ToJsonString() ?? "null")}"));
        return $"{{{body}}}";
    }

    private static string[] Files() =>
    [
        .. ReferenceTests.References.Select(row => File.ReadAllText(Path.Combine(Fixtures.Folder, "references", row.Data, DecoderConfig.FileName))),
        .. FamilyTests.Models.Select(row => row.Data.Item2),
    ];
}
