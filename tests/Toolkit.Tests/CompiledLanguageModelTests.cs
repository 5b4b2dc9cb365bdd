using Toolkit.Decoding;
using Toolkit.Models;
using Toolkit.Text;
using Toolkit.Training;
using Corpus = Toolkit.Data.Corpus;

namespace Toolkit.Tests;

public sealed class CompiledLanguageModelTests
{
    [Fact]
    public void ATrainedModel_WritesTheSameTextCompiled()
    {
        var corpus = Corpus.Open("sotu").Take(8);
        var tokenizer = Tokenizer.Train(corpus.Train, 400);
        using var model = LanguageModel.Create(DecoderConfig.Llama(2, 64, 4, 2, tokenizer.VocabularySize, maxPositions: 256, tieEmbeddings: true), tokenizer, seed: 3);
        foreach (var _ in model.Train(corpus, new TrainingOptions { Steps = 12, BatchSize = 4, SequenceLength = 32, LearningRate = 3e-3, Seed = 3, PeakFlopsPerSecond = 1e11 }))
        {
        }

        using (var other = model.Compile())
        {
            Assert.Equal(4, other.Generate("My", new GenerationOptions { MaxTokens = 4 }).Count());
        }

        using var compiled = model.Compile();
        Assert.Throws<InvalidOperationException>(() => compiled.Graph);
        Assert.Throws<InvalidOperationException>(() => model.Kernels);

        // Past the first span: two graphs.
        var options = new GenerationOptions { MaxTokens = 150, Sampling = new SamplingOptions { Temperature = 0, RepetitionPenalty = 1.4 } };
        int[] Write(LanguageModel writer) => [.. writer.Generate("My fellow citizens,", options).Select(token => token.Id)];
        var expected = Write(model);
        Assert.Equal(expected, Write(compiled));
        Assert.Equal(expected, Write(compiled));
        Assert.True(compiled.Decoding!.CompiledSteps > 250, $"{compiled.Decoding}");
        Assert.NotEmpty(compiled.Kernels);
        Assert.NotEmpty(compiled.Graph.Nodes);

        // The weights are the model's: what training changes both say.
        foreach (var _ in model.Train(corpus, new TrainingOptions { Steps = 4, BatchSize = 4, SequenceLength = 32, LearningRate = 1e-2, Seed = 4, PeakFlopsPerSecond = 1e11 }))
        {
        }

        Assert.Equal(Write(model), Write(compiled));
        Assert.NotEqual(expected, Write(model));
    }
}
