using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Toolkit.Checkpoints;
using Toolkit.Models;

namespace Toolkit.Notebook;

/// <summary>The command <c>toolkit inspect</c>: what is in a model's files, and what it takes to run it. No weight is read.</summary>
internal static class InspectCommand
{
    private const int LongestValue = 100;
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Command Create()
    {
        var model = new Argument<string>("model") { Description = "A folder in Hugging Face's layout, a GGUF file, a safetensors file or its index, a pytorch_model.bin, or a name such as org/name." };
        var context = new Option<int?>("--context") { Description = "Positions to count the memory for (default: those that the model was made for)." };
        context.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int?>() is <= 0)
            {
                result.AddError("--context: expected a number of positions above 0.");
            }
        });
        var revision = ModelArgument.Revision();
        var command = new Command("inspect", "Shows a model's tensors, types, sizes and configuration, and the memory that it takes.") { model, context, revision };
        command.SetAction(parsed => Run(parsed.GetValue(model)!, parsed.GetValue(context), Console.Out, Console.Error, parsed.GetValue(revision)!));
        return command;
    }

    internal static int Run(string model, int? context, TextWriter told, TextWriter problems, string revision = "main", ModelCache? cache = null)
    {
        try
        {
            var path = ModelArgument.Resolve(model, revision, cache, problems);
            if (GgufFile.IsNamed(path))
            {
                using var file = GgufFile.Open(path);
                Tell(told, path, [.. file.Tensors.Values.Select(tensor => new TensorLine(tensor.Name, tensor.Type.ToString(), tensor.Shape, tensor.ByteCount))]);
                TellMetadata(told, file.Metadata.Select(pair => (pair.Key, Short(pair.Value))));
            }
            else
            {
                using var checkpoint = Checkpoint.Open(path);
                Tell(told, checkpoint.Path, [.. checkpoint.Names.Select(name => (Name: name, Entry: checkpoint.Entry(name))).Select(tensor => new TensorLine(tensor.Name, tensor.Entry.DataType, tensor.Entry.Shape, tensor.Entry.ByteCount))]);
            }

            TellConfiguration(told, path, context);
            return 0;
        }
        catch (Exception problem) when (ModelArgument.IsOfInput(problem))
        {
            problems.WriteLine(problem.Message);
            return 2;
        }
    }

    private static void Tell(TextWriter told, string path, TensorLine[] tensors)
    {
        var types = tensors.GroupBy(tensor => tensor.Type).OrderByDescending(group => group.Sum(tensor => tensor.Bytes)).Select(group => $"{group.Count()} of {group.Key} ({TensorTree.Bytes(group.Sum(tensor => tensor.Bytes))})");
        told.WriteLine($"{path}: {tensors.Length} tensors, {TensorTree.Count(tensors.Sum(tensor => tensor.Count))} numbers, {TensorTree.Bytes(tensors.Sum(tensor => tensor.Bytes))}");
        told.WriteLine($"types: {string.Join(", ", types.DefaultIfEmpty("none"))}");
        told.WriteLine();
        told.Write(TensorTree.Render(tensors));
        told.WriteLine();
    }

    private static void TellMetadata(TextWriter told, IEnumerable<(string Key, string Value)> values)
    {
        told.WriteLine("metadata");
        foreach (var (key, value) in values)
        {
            told.WriteLine($"  {key} = {value}");
        }

        told.WriteLine();
    }

    private static void TellConfiguration(TextWriter told, string path, int? context)
    {
        var folder = Directory.Exists(path) || GgufFile.IsNamed(path) ? path : Path.GetDirectoryName(Path.GetFullPath(path))!;
        if (!GgufFile.IsNamed(folder) && !File.Exists(Path.Combine(folder, DecoderConfig.FileName)))
        {
            told.WriteLine($"There is no {DecoderConfig.FileName} beside it: the memory of positions is not known.");
            return;
        }

        DecoderConfig config;
        try
        {
            var json = Json(folder);
            told.WriteLine("configuration");
            told.WriteLine(json.ToJsonString(Indented));
            told.WriteLine();
            if ((string?)json["model_type"] is { } family && !DecoderConfig.KnownFamilies.Contains(family))
            {
                TellOther(told, folder);
                return;
            }

            config = DecoderConfig.Load(folder);
        }
        catch (Exception problem) when (problem is NotSupportedException or CheckpointException)
        {
            told.WriteLine($"The memory of positions is not known: {problem.Message}");
            return;
        }

        TellMemory(told, path, config, context ?? config.MaxPositions);
    }

    /// <summary>What a model that keeps no keys and values needs beside its weights.</summary>
    private static void TellOther(TextWriter told, string folder)
    {
        if (BertConfig.IsIn(folder))
        {
            var encoder = BertConfig.Load(folder);
            told.WriteLine(string.Create(CultureInfo.InvariantCulture, $"an encoder of texts up to {encoder.MaxPositions:N0} positions: nothing is kept from one to the next"));
            return;
        }

        using var model = CausalModel.Load(folder, map: true);
        using var state = model.NewState(1, 1);
        told.WriteLine($"memory for one sequence of any length: a state of {TensorTree.Bytes(state.Bytes)} (float32)");
    }

    /// <summary>Weights as they lie in memory, as stored and as float32, which is what they are loaded as by default; and keys and values of that many positions.</summary>
    private static void TellMemory(TextWriter told, string path, DecoderConfig config, int context)
    {
        using var checkpoint = Checkpoint.Open(path);
        var entries = checkpoint.Names.Select(checkpoint.Entry).ToArray();
        var numbers = entries.Sum(entry => entry.Shape.Aggregate(1.0, (count, extent) => count * extent));
        var stored = entries.Sum(entry => (double)entry.ByteCount);
        var positionNumbers = 2.0 * config.Layers * config.KeyValueHeads * config.HeadDimension;
        told.WriteLine(string.Create(CultureInfo.InvariantCulture, $"memory for one sequence of {context:N0} positions (the model was made for {config.MaxPositions:N0})"));
        told.WriteLine($"  {"",-22}{"weights",12}{"keys, values",14}{"a position",12}{"together",12}");
        foreach (var (name, weights, width) in new[] { ("float32", 4 * numbers, 4), ("16 bits", 2 * numbers, 2), ("as stored, cache 16 b", stored, 2) })
        {
            var cache = positionNumbers * width * context;
            told.WriteLine($"  {name,-22}{TensorTree.Bytes(weights),12}{TensorTree.Bytes(cache),14}{TensorTree.Bytes(positionNumbers * width),12}{TensorTree.Bytes(weights + cache),12}");
        }
    }

    private static JsonObject Json(string folder)
    {
        if (GgufFile.IsNamed(folder))
        {
            using var file = GgufFile.Open(folder);
            return GgufModel.ReadConfig(file);
        }

        return ConfigFile.ReadJson(folder);
    }

    private static string Short(object value)
    {
        var text = value switch
        {
            string one => JsonSerializer.Serialize(one, Indented),
            Array array => $"{array.GetType().GetElementType()!.Name}[{array.Length}] {string.Join(", ", array.Cast<object>().Take(6).Select(Short))}{(array.Length > 6 ? ", ..." : "")}",
            _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
        };
        return text.Length <= LongestValue ? text : $"{text.AsSpan(0, LongestValue)}...";
    }
}
