using Toolkit.Decoding;

namespace Toolkit.Tests.Decoding;

public sealed class GenerationFileTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("generation");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void WithoutAFileTheOptionsHaveTheirOwnDefaults() => Assert.Equivalent(new GenerationOptions(), GenerationOptions.Load(_folder.FullName), strict: true);

    [Fact]
    public void AFileSaysHowToDraw()
    {
        var options = Of("""
            {"do_sample": true, "temperature": 0.6, "top_p": 0.9, "min_p": 0.05, "repetition_penalty": 1.1, "max_new_tokens": 33, "bos_token_id": 1, "eos_token_id": [5, 7],
             "pad_token_id": 0, "stop_strings": "###", "transformers_version": "4.43.0", "_from_model_config": true}
            """);
        Assert.Equal(new SamplingOptions { Temperature = 0.6, TopK = 50, TopP = 0.9, MinP = 0.05, RepetitionPenalty = 1.1 }, options.Sampling);
        Assert.Equal((33, null, 1), (options.MaxTokens, options.MaxLength, options.BeginTokenId));
        Assert.Equal([5, 7], options.EndTokenIds);
        Assert.Equal(["###"], options.StopStrings);
    }

    [Fact]
    public void WithoutDoSampleTheMostProbableTokenIsTaken()
    {
        var options = Of("""{"temperature": 0.6, "top_p": 0.9, "eos_token_id": 2, "max_length": 4096}""");
        Assert.True(options.Sampling.IsGreedy);
        Assert.Equal((0.9, 0), (options.Sampling.TopP, options.Sampling.TopK));
        Assert.Equal([2], options.EndTokenIds);
        Assert.Equal((256, 4096), (options.MaxTokens, options.MaxLength));
        Assert.Null(Of("""{"max_length": 20, "max_new_tokens": 100}""").MaxLength);
    }

    [Theory]
    [InlineData("""{"num_beams": 4}""", "num_beams 4 is not supported")]
    [InlineData("""{"typical_p": 0.9}""", "typical_p 0.9")]
    [InlineData("""{"suppress_tokens": [1, 2]}""", "suppress_tokens [1,2]")]
    [InlineData("""{"a_way_of_tomorrow": 0.5}""", "a_way_of_tomorrow 0.5 is not supported: generate with options of your own")]
    [InlineData("""{"watermarking_config": {"bias": 2}}""", "watermarking_config")]
    [InlineData("""{"remove_invalid_values": true}""", "remove_invalid_values")]
    public void WhatWouldChangeTheTextAndIsNotThereIsRefused(string json, string expected)
    {
        var message = Assert.Throws<NotSupportedException>(() => Of(json)).Message;
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.Contains("generation_config.json", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"num_beams": 1, "typical_p": 1.0, "suppress_tokens": [], "forced_eos_token_id": null, "use_cache": true, "length_penalty": 2.0, "remove_invalid_values": false, "num_return_sequences": 1}""")]
    [InlineData("{}")]
    public void WhatChangesNothingIsPassedOver(string json) => Assert.True(Of(json).Sampling.IsGreedy);

    [Theory]
    [InlineData("[]", "it is no object")]
    [InlineData("{", "generation_config.json")]
    [InlineData("""{"top_k": 1.5}""", "top_k is no whole number")]
    [InlineData("""{"temperature": "hot"}""", "temperature is no number")]
    [InlineData("""{"do_sample": 3}""", "generation_config.json")]
    [InlineData("""{"do_sample": true, "temperature": -1}""", "Temperature is -1")]
    [InlineData("""{"eos_token_id": ["a"]}""", "generation_config.json")]
    [InlineData("""{"max_new_tokens": 0}""", "MaxTokens is 0")]
    [InlineData("""{"max_length": 1e99}""", "max_length is no whole number")]
    public void AMalformedFileIsNamed(string json, string expected)
    {
        var message = Assert.Throws<InvalidDataException>(() => Of(json)).Message;
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.Contains(_folder.FullName, message, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatIsSavedIsLoaded()
    {
        var options = new GenerationOptions
        {
            MaxTokens = 12,
            BeginTokenId = 3,
            EndTokenIds = [4, 5],
            StopStrings = ["a", "b"],
            Sampling = new() { Temperature = 0.7, TopK = 0, TopP = 0.8, MinP = 0.1, RepetitionPenalty = 1.2 },
        };
        foreach (var saved in new[] { options, new(), new() { Sampling = SamplingOptions.Greedy, EndTokenIds = [9] } })
        {
            saved.Save(_folder.FullName);
            Assert.Equivalent(saved, GenerationOptions.Load(_folder.FullName), strict: true);
        }
    }

    private GenerationOptions Of(string json)
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "generation_config.json"), json);
        return GenerationOptions.Load(_folder.FullName);
    }
}
