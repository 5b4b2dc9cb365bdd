using System.CommandLine;
using System.Runtime.InteropServices;
using Toolkit.Checkpoints;
using Toolkit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Notebook;

/// <summary>The command <c>toolkit logits</c>: what a model says about given ids, in a file that other programs can compare with.</summary>
internal static class LogitsCommand
{
    public const string InputName = "input_ids";
    public const string MaskName = "attention_mask";
    public const string LogitsName = "logits";
    public const string GreedyName = "greedy";

    public static Command Create()
    {
        var model = new Argument<string>("model") { Description = "Folder in Hugging Face's layout." };
        var input = new Option<string>("--input") { Description = $"A safetensors file with {InputName} (B, T) and, for padded batches, {MaskName} (B, T).", Required = true };
        var output = new Option<string>("--output") { Description = $"The safetensors file to write: {LogitsName} (B, T, V), and {GreedyName} if asked for.", Required = true };
        var greedy = new Option<int>("--greedy") { Description = $"Also write {GreedyName} (B, T + N): the ids and the N most probable ones after them; an end of text is passed over." };
        greedy.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() < 0)
            {
                result.AddError("--greedy: expected a number of tokens from 0 on.");
            }
        });
        var command = new Command("logits", "Writes a model's logits, and its greedy continuation, for ids in a file.") { model, input, output, greedy };
        command.SetAction(parsed => Run(parsed.GetValue(model)!, parsed.GetValue(input)!, parsed.GetValue(output)!, parsed.GetValue(greedy), Console.Out, Console.Error));
        return command;
    }

    internal static int Run(string folder, string input, string output, int greedy, TextWriter told, TextWriter problems)
    {
        try
        {
            using var scope = NewDisposeScope();
            using var model = Decoder.Load(folder, map: true);
            using var file = SafeTensorsFile.Open(input);
            var (ids, mask) = Read(file, input, model.Config, greedy);
            var logits = model.Forward(ids, mask, null).to(ScalarType.Float32);
            var results = new Dictionary<string, Tensor> { [LogitsName] = logits };
            if (greedy > 0)
            {
                results[GreedyName] = Continue(model, ids, mask, greedy);
            }

            SafeTensorsFile.Save(output, results);
            told.WriteLine($"{output}: {string.Join(", ", results.Select(result => $"{result.Key} ({string.Join(", ", result.Value.shape)})"))}");
            return 0;
        }
        catch (Exception problem) when (problem is ArgumentException or IOException or UnauthorizedAccessException or InvalidDataException
            or NotSupportedException or InvalidOperationException or CheckpointException or ExternalException)
        {
            problems.WriteLine(problem.Message);
            return 2;
        }
    }

    private static (Tensor Ids, Tensor? Mask) Read(SafeTensorsFile file, string path, DecoderConfig config, int greedy)
    {
        var ids = Integers(InputName);
        if (ids.shape is not [> 0, > 0])
        {
            throw new InvalidDataException($"{path}: {InputName} has shape ({string.Join(", ", ids.shape)}), expected (sequences, positions)");
        }

        var (least, most) = (ids.min().item<long>(), ids.max().item<long>());
        if (least < 0 || most >= config.VocabularySize)
        {
            throw new InvalidDataException($"{path}: {InputName} has ids from {least} to {most}, the model those from 0 to {config.VocabularySize - 1}");
        }

        var mask = file.Entries.ContainsKey(MaskName) ? Integers(MaskName) : null;
        return (ids, mask is not null && mask.ne(0.ToScalar()).all().item<bool>() ? null : mask);

        Tensor Integers(string name)
        {
            var tensor = file.Load(name);
            return tensor.dtype is ScalarType.Int64 or ScalarType.Int32 or ScalarType.Int16 or ScalarType.Int8 or ScalarType.Byte or ScalarType.Bool
                ? tensor.to(ScalarType.Int64)
                : throw new InvalidDataException($"{path}: {name} is {tensor.dtype}, expected whole numbers");
        }
    }

    /// <summary>(B, T) to (B, T + N), one token at a time through the cache.</summary>
    private static Tensor Continue(Decoder model, Tensor ids, Tensor? mask, int tokens)
    {
        using var scope = NewDisposeScope();
        using var cache = model.NewCache((int)ids.shape[0], (int)ids.shape[1] + tokens);
        var next = ids;
        for (var i = 0; i < tokens; i++)
        {
            using var step = NewDisposeScope();
            if (!model.Config.KeepsFrequencies(cache.Length, cache.Length + (int)next.shape[1]))
            {
                cache.Reset();
                next = ids;
            }

            var last = model.Forward(next, mask, cache, lastOnly: true).select(1, 0).to(ScalarType.Float32); // (B, V)
            foreach (var end in model.Config.EndTokenIds.Where(id => id >= 0 && id < model.Config.VocabularySize))
            {
                last.narrow(1, end, 1).fill_(double.NegativeInfinity.ToScalar());
            }

            next = last.argmax(-1, true).MoveToOuterDisposeScope(); // (B, 1)
            ids = cat([ids, next], 1).MoveToOuterDisposeScope();
            mask = mask is null ? null : cat([mask, ones_like(next)], 1).MoveToOuterDisposeScope();
        }

        return ids.MoveToOuterDisposeScope();
    }
}
