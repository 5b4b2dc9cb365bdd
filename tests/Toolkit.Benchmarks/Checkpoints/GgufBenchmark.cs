using System.Diagnostics;
using System.Text;
using Toolkit.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;
using Decoder = Toolkit.Models.Decoder;

namespace Toolkit.Benchmarks.Checkpoints;

/// <summary>
/// Seconds to open a model of the shape of Llama 3.2 1B (a sparse file of float16 with a vocabulary of 128 256 tokens), and numbers a second that the block
/// formats are turned to float32, and back.
/// </summary>
internal static class GgufBenchmark
{
    private const int Layers = 16;
    private const long Width = 2048;
    private const long Inner = 8192;
    private const long KeyValueWidth = 512;
    private const long Vocabulary = 128_256;

    public static int Run()
    {
        var path = Path.Combine(Path.GetTempPath(), $"toolkit-benchmark-{Environment.ProcessId}.gguf");
        try
        {
            WriteSparse(path);
            Open(path);
            Blocks(path);
            return 0;
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static void Open(string path)
    {
        Console.WriteLine($"{new FileInfo(path).Length / 1e9:0.0} GB, {Tensors().Count} tensors");
        for (var i = 0; i < 3; i++)
        {
            var clock = Stopwatch.StartNew();
            using (GgufFile.Open(path))
            {
                Console.Write($"  GgufFile.Open {clock.Elapsed.TotalSeconds:0.000} s");
            }

            clock.Restart();
            using (Checkpoint.Open(path))
            {
                Console.Write($", Checkpoint.Open {clock.Elapsed.TotalSeconds:0.000} s");
            }

            clock.Restart();
            using (Decoder.Load(path, ScalarType.Float16, map: true))
            {
                Console.WriteLine($", Decoder.Load of float16, mapped, {clock.Elapsed.TotalSeconds:0.000} s");
            }
        }
    }

    private static void Blocks(string path)
    {
        using var scope = NewDisposeScope();
        const long count = 1 << 26;
        var source = randn([count / 4096, 4096]);
        foreach (var type in new[] { GgufType.Q8_0, GgufType.Q4_0 })
        {
            var clock = Stopwatch.StartNew();
            GgufFile.Save(path, new([]), [KeyValuePair.Create("w", source)], (_, _) => type);
            Console.WriteLine($"{type}: written with {count / clock.Elapsed.TotalSeconds / 1e6:0} M numbers a second, disk included");
        }

        foreach (var type in BlockFormat.Types)
        {
            Dequantize(BlockFormat.Find(type)!, count);
        }
    }

    private static unsafe void Dequantize(BlockFormat format, long count)
    {
        using var scope = NewDisposeScope();
        var blocks = zeros([count / format.Layout.BlockLength * format.Layout.BlockBytes], ScalarType.Byte).fill_(3.ToScalar());
        var values = zeros(count);
        var best = double.MaxValue;
        for (var i = 0; i < 5; i++)
        {
            var clock = Stopwatch.StartNew();
            BlockKernel.Dequantize(format, TensorData.Pointer(blocks), (float*)TensorData.Pointer(values), count / 4096, 4096 / format.Layout.BlockLength, 0);
            best = Math.Min(best, clock.Elapsed.TotalSeconds);
        }

        GC.KeepAlive(blocks);
        GC.KeepAlive(values);
        Console.WriteLine($"{format.Layout.Type}: {count / best / 1e6:0} M numbers a second to float32 ({count * (4 + ((double)format.Layout.BlockBytes / format.Layout.BlockLength)) / best / 1e9:0.0} GB/s read and written)");
    }

    private static List<(string Name, long[] Shape, GgufType Type)> Tensors()
    {
        List<(string, long[], GgufType)> tensors = [("token_embd.weight", [Vocabulary, Width], GgufType.F16), ("output_norm.weight", [Width], GgufType.F32)];
        for (var i = 0; i < Layers; i++)
        {
            tensors.AddRange(
            [
                ($"blk.{i}.attn_norm.weight", [Width], GgufType.F32), ($"blk.{i}.attn_q.weight", [Width, Width], GgufType.F16),
                ($"blk.{i}.attn_k.weight", [KeyValueWidth, Width], GgufType.F16), ($"blk.{i}.attn_v.weight", [KeyValueWidth, Width], GgufType.F16),
                ($"blk.{i}.attn_output.weight", [Width, Width], GgufType.F16), ($"blk.{i}.ffn_norm.weight", [Width], GgufType.F32),
                ($"blk.{i}.ffn_gate.weight", [Inner, Width], GgufType.F16), ($"blk.{i}.ffn_up.weight", [Inner, Width], GgufType.F16),
                ($"blk.{i}.ffn_down.weight", [Width, Inner], GgufType.F16),
            ]);
        }

        return tensors;
    }

    /// <summary>The header as a writer would write it, and nothing behind it: the system keeps no blocks for zeros.</summary>
    private static void WriteSparse(string path)
    {
        using var stream = File.Create(path);
        using var writer = new BinaryWriter(stream);
        var tensors = Tensors();
        (string Key, object Value)[] values =
        [
            ("general.architecture", "llama"), ("llama.context_length", 131_072), ("llama.embedding_length", (int)Width), ("llama.block_count", Layers),
            ("llama.feed_forward_length", (int)Inner), ("llama.attention.head_count", 32), ("llama.attention.head_count_kv", 8),
            ("llama.attention.layer_norm_rms_epsilon", 1e-5f), ("llama.rope.freq_base", 500_000f), ("tokenizer.ggml.model", "gpt2"),
            ("tokenizer.ggml.tokens", Enumerable.Range(0, (int)Vocabulary).Select(id => $"token{id}").ToArray()),
            ("tokenizer.ggml.merges", Enumerable.Range(0, 280_000).Select(id => $"left{id} right{id}").ToArray()),
        ];
        writer.Write("GGUF"u8);
        writer.Write(3u);
        writer.Write((ulong)tensors.Count);
        writer.Write((ulong)values.Length);
        foreach (var (key, value) in values)
        {
            Text(writer, key);
            switch (value)
            {
                case int number: writer.Write((uint)GgufValueType.Int32); writer.Write(number); break;
                case float number: writer.Write((uint)GgufValueType.Single); writer.Write(number); break;
                case string text: writer.Write((uint)GgufValueType.Text); Text(writer, text); break;
                case string[] texts: writer.Write((uint)GgufValueType.Array); writer.Write((uint)GgufValueType.Text); writer.Write((ulong)texts.Length); Array.ForEach(texts, text => Text(writer, text)); break;
            }
        }

        var offset = 0L;
        foreach (var (name, shape, type) in tensors)
        {
            Text(writer, name);
            writer.Write((uint)shape.Length);
            foreach (var extent in shape.Reverse())
            {
                writer.Write(extent);
            }

            writer.Write((uint)type);
            writer.Write(offset);
            offset += shape.Aggregate(1L, (a, b) => a * b) * (type == GgufType.F16 ? 2 : 4);
        }

        writer.Flush();
        stream.SetLength(((stream.Position + 31) / 32 * 32) + offset);
    }

    private static void Text(BinaryWriter writer, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }
}
