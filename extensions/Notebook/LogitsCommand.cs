using System.CommandLine;
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
    public const string TypesName = "token_type_ids";
    public const string HiddenName = "last_hidden_state";

    public static Command Create()
    {
        var model = new Argument<string>("model") { Description = "Folder in Hugging Face's layout, a GGUF file, or a name such as org/name." };
        var input = new Option<string>("--input") { Description = $"A safetensors file with {InputName} (B, T) and, for padded batches, {MaskName} (B, T).", Required = true };
        var output = new Option<string>("--output") { Description = $"The safetensors file to write: {LogitsName} (B, T, V), and {GreedyName} if asked for; of an encoder {HiddenName} (B, T, width).", Required = true };
        var greedy = new Option<int>("--greedy") { Description = $"Also write {GreedyName} (B, T + N): the ids and the N most probable ones after them; an end of text is passed over." };
        greedy.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() < 0)
            {
                result.AddError("--greedy: expected a number of tokens from 0 on.");
            }
        });
        var revision = ModelArgument.Revision();
        var command = new Command("logits", "Writes a model's logits, and its greedy continuation, for ids in a file.") { model, input, output, greedy, revision };
        command.SetAction(parsed => Run(
            parsed.GetValue(model)!, parsed.GetValue(input)!, parsed.GetValue(output)!, parsed.GetValue(greedy), Console.Out, Console.Error, parsed.GetValue(revision)!));
        return command;
    }

    internal static int Run(
        string model, string input, string output, int greedy, TextWriter told, TextWriter problems, string revision = "main", ModelCache? cache = null)
    {
        try
        {
            using var scope = NewDisposeScope();
            using var file = SafeTensorsFile.Open(input);
            var folder = ModelArgument.Resolve(model, revision, cache, problems);
            var results = Directory.Exists(folder) && BertConfig.IsIn(folder) ? OfEncoder(folder, file, input, greedy) : OfCausalModel(folder, file, input, greedy);
            SafeTensorsFile.Save(output, results);
            told.WriteLine($"{output}: {string.Join(", ", results.Select(result => $"{result.Key} ({string.Join(", ", result.Value.shape)})"))}");
            return 0;
        }
        catch (Exception problem) when (ModelArgument.IsOfInput(problem))
        {
            problems.WriteLine(problem.Message);
            return 2;
        }
    }

    private static Dictionary<string, Tensor> OfCausalModel(string folder, SafeTensorsFile file, string input, int greedy)
    {
        using var model = CausalModel.Load(folder, map: true);
        var (ids, mask) = Read(file, input, model.VocabularySize);
        var results = new Dictionary<string, Tensor> { [LogitsName] = model.Forward(ids, mask, null).to(ScalarType.Float32) };
        if (greedy > 0)
        {
            if (mask?.select(1, -1).ne(0.ToScalar()).all().item<bool>() == false)
            {
                throw new ArgumentException($"{input}: a text is padded on the right; what is to be continued must be padded on the left");
            }

            results[GreedyName] = Continue(model, ids, mask, greedy);
        }

        return results;
    }

    private static Dictionary<string, Tensor> OfEncoder(string folder, SafeTensorsFile file, string input, int greedy)
    {
        using var model = Bert.Load(folder, map: true);
        var (ids, mask) = Read(file, input, model.Config.VocabularySize);
        var types = file.Entries.ContainsKey(TypesName) ? Integers(file, input, TypesName) : null;
        if (types is not null && (types.min().item<long>() < 0 || types.max().item<long>() >= model.Config.TokenTypes))
        {
            throw new InvalidDataException($"{input}: {TypesName} has types that the model does not have; it has {model.Config.TokenTypes}");
        }

        return greedy == 0
            ? new() { [HiddenName] = model.Forward(ids, mask, types).to(ScalarType.Float32) }
            : throw new ArgumentException($"{folder}: an encoder continues no text");
    }

    private static (Tensor Ids, Tensor? Mask) Read(SafeTensorsFile file, string path, int vocabulary)
    {
        var ids = Integers(file, path, InputName);
        if (ids.shape is not [> 0, > 0])
        {
            throw new InvalidDataException($"{path}: {InputName} has shape ({string.Join(", ", ids.shape)}), expected (sequences, positions)");
        }

        var (least, most) = (ids.min().item<long>(), ids.max().item<long>());
        if (least < 0 || most >= vocabulary)
        {
            throw new InvalidDataException($"{path}: {InputName} has ids from {least} to {most}, the model those from 0 to {vocabulary - 1}");
        }

        var mask = file.Entries.ContainsKey(MaskName) ? Integers(file, path, MaskName) : null;
        return (ids, mask is not null && mask.ne(0.ToScalar()).all().item<bool>() ? null : mask);
    }

    private static Tensor Integers(SafeTensorsFile file, string path, string name)
    {
        var tensor = file.Load(name);
        return tensor.dtype is ScalarType.Int64 or ScalarType.Int32 or ScalarType.Int16 or ScalarType.Int8 or ScalarType.Byte or ScalarType.Bool
            ? tensor.to(ScalarType.Int64)
            : throw new InvalidDataException($"{path}: {name} is {tensor.dtype}, expected whole numbers");
    }

    /// <summary>(B, T) to (B, T + N), one token at a time through the state.</summary>
    private static Tensor Continue(CausalModel model, Tensor ids, Tensor? mask, int tokens)
    {
        using var scope = NewDisposeScope();
        using var state = model.NewState((int)ids.shape[0], (int)ids.shape[1] + tokens);
        var next = ids;
        for (var i = 0; i < tokens; i++)
        {
            using var step = NewDisposeScope();
            if (!model.CanContinue(state.Length, state.Length + (int)next.shape[1]))
            {
                state.Reset();
                next = ids;
            }

            var last = model.Forward(next, mask, state, lastOnly: true).select(1, 0).to(ScalarType.Float32); // (B, V)
            foreach (var end in model.EndTokenIds.Where(id => id >= 0 && id < model.VocabularySize))
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
