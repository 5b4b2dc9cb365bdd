using Toolkit.Checkpoints;
using Toolkit.Data;
using Toolkit.Models;
using Toolkit.Tests.Decoding;
using Toolkit.Training;

namespace Toolkit.Tests.Training;

public sealed class TrainerResumeTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("toolkit-run-").FullName;

    private string Folder => Path.Combine(_root, "run");

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Theory]
    [InlineData(1, TrainingPrecision.Float32)]
    [InlineData(3, TrainingPrecision.Float32)]
    [InlineData(2, TrainingPrecision.BFloat16)]
    public void A_resumed_run_is_the_run_that_never_stopped(int accumulation, TrainingPrecision precision)
    {
        var options = Runs.Options with { GradientAccumulation = accumulation, Precision = precision };
        using var straight = TinyModel.Create();
        var expected = Runs.Losses(straight, options);

        var losses = new List<double>();
        using (var model = TinyModel.Create())
        using (var trainer = new Trainer(model, Runs.Corpus, options))
        {
            losses.AddRange(trainer.Run().Take(10).Select(step => step.Loss));
            trainer.Save(Folder);
        }

        using var resumed = Trainer.Resume(Folder, Runs.Corpus);
        using var loaded = resumed.Model;
        Assert.Equal((10, 10L * options.TokensPerStep), (resumed.Step, resumed.Tokens));
        var rest = resumed.Run().ToArray();
        Assert.Equal(Enumerable.Range(11, 10), rest.Select(step => step.Step));
        Assert.Equal(expected, losses.Concat(rest.Select(step => step.Loss)));
        Assert.Equal(Runs.Weights(straight), Runs.Weights(loaded));
    }

    [Fact]
    public void A_cancelled_run_ends_at_a_step_and_is_saved_there()
    {
        var options = Runs.Options with { CheckpointFolder = Folder };
        using var model = TinyModel.Create();
        using var trainer = new Trainer(model, Runs.Corpus, options);
        using var stop = new CancellationTokenSource();
        var steps = new List<int>();
        foreach (var step in trainer.Run(stop.Token))
        {
            steps.Add(step.Step);
            if (step.Step == 4)
            {
                stop.Cancel();
            }
        }

        Assert.Equal([1, 2, 3, 4], steps);
        using var resumed = Trainer.Resume(Folder, Runs.Corpus);
        using var loaded = resumed.Model;
        Assert.Equal(4, resumed.Step);
        Assert.Equal($"{options}", $"{resumed.Options}");
        Assert.Equal(Runs.Weights(model), Runs.Weights(loaded));
    }

    [Fact]
    public void Checkpoints_are_made_as_often_as_asked_and_at_the_end()
    {
        using var model = TinyModel.Create();
        using var trainer = new Trainer(model, Runs.Corpus, Runs.Options with { Steps = 5, CheckpointFolder = Folder, CheckpointEvery = 2 });
        var saved = new List<int>();
        foreach (var _ in trainer.Run())
        {
            saved.Add(File.Exists(Path.Combine(Folder, "trainer.json")) ? SavedStep() : 0);
        }

        Assert.Equal([0, 2, 2, 4, 4], saved);
        Assert.Equal(5, SavedStep());
        Assert.Equal(["run"], Directory.GetFileSystemEntries(_root).Select(Path.GetFileName));
    }

    [Fact]
    public void A_checkpoint_is_a_model_folder_whose_other_files_stay()
    {
        using var model = TinyModel.Create();
        using var trainer = new Trainer(model, Runs.Corpus, Runs.Options);
        Directory.CreateDirectory(Path.Combine(Folder, "notes"));
        File.WriteAllText(Path.Combine(Folder, "tokenizer.json"), "mine");
        File.WriteAllText(Path.Combine(Folder, "notes", "a.txt"), "mine too");
        File.WriteAllText(Path.Combine(Folder, "model-00001-of-00002.safetensors"), "of an older, larger model");
        Assert.Single(trainer.Run().Take(1));
        trainer.Save(Folder);
        trainer.Save(Folder + Path.DirectorySeparatorChar);
        Assert.Equal("mine", File.ReadAllText(Path.Combine(Folder, "tokenizer.json")));
        Assert.Equal("mine too", File.ReadAllText(Path.Combine(Folder, "notes", "a.txt")));
        Assert.False(File.Exists(Path.Combine(Folder, "model-00001-of-00002.safetensors")));
        using var loaded = Decoder.Load(Folder);
        Assert.Equal(Runs.Weights(model), Runs.Weights(loaded));
    }

    [Fact]
    public void An_interrupted_save_never_costs_the_checkpoint_before_it()
    {
        using var model = TinyModel.Create();
        using var trainer = new Trainer(model, Runs.Corpus, Runs.Options);
        Assert.Equal(3, trainer.Run().Take(3).Count());
        trainer.Save(Folder);

        // Interrupted while it wrote, and then between the two renames: what is on the disk at those moments.
        Directory.CreateDirectory(Folder + ".toolkit-incoming");
        File.WriteAllText(Path.Combine(Folder + ".toolkit-incoming", "model.safetensors"), "half");
        Assert.Equal(3, ResumedStep());
        Directory.Move(Folder, Folder + ".toolkit-previous");
        Assert.Equal(3, ResumedStep());

        // A save that fails leaves the checkpoint as it is.
        var before = File.ReadAllBytes(Path.Combine(Folder, "trainer.json"));
        Directory.Delete(Folder + ".toolkit-incoming", recursive: true);
        File.WriteAllText(Folder + ".toolkit-incoming", "a file in the way");
        Assert.ThrowsAny<IOException>(() => trainer.Save(Folder));
        Assert.Equal(before, File.ReadAllBytes(Path.Combine(Folder, "trainer.json")));
        File.Delete(Folder + ".toolkit-incoming");
        trainer.Save(Folder);
        Assert.Equal(3, ResumedStep());
    }

    [Fact]
    public void Another_corpus_or_no_run_is_refused()
    {
        using var model = TinyModel.Create();
        using (var trainer = new Trainer(model, Runs.Corpus, Runs.Options))
        {
            trainer.Save(Folder);
        }

        var message = Assert.Throws<ArgumentException>(() => Trainer.Resume(Folder, Runs.Validation)).Message;
        Assert.Contains($"{Runs.Corpus.Ids.Length} tokens", message, StringComparison.Ordinal);
        Assert.Contains(Runs.Validation.Fingerprint, message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => Trainer.Resume(Folder, TokenizedCorpus.FromIds([.. Runs.Corpus.Ids.Reverse()], new int[400])));
        Assert.Contains("trainer.json", Assert.Throws<CheckpointException>(() => Trainer.Resume(_root, Runs.Corpus)).Message, StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(Folder, "trainer.json"), "{}");
        Assert.Throws<CheckpointException>(() => Trainer.Resume(Folder, Runs.Corpus));
    }

    private int ResumedStep()
    {
        using var resumed = Trainer.Resume(Folder, Runs.Corpus);
        resumed.Model.Dispose();
        return resumed.Step;
    }

    private int SavedStep() => System.Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, "trainer.json")))!["step"]!.GetValue<int>();
}
