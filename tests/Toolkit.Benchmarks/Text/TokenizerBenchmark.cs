using System.Diagnostics;
using System.Text;
using Toolkit.Text;

namespace Toolkit.Benchmarks.Text;

/// <summary>
/// Seconds to train vocabularies of 4096 on a text, and megabytes a second that are encoded: of the trained ones (byte-level: the library beside our own
/// encoder), and of given tokenizers, with the time to open them. One thread encodes.
/// </summary>
internal static class TokenizerBenchmark
{
    public static int Run(string path, IEnumerable<string> tokenizers)
    {
        using var stream = path.EndsWith(".gz", StringComparison.Ordinal)
            ? new System.IO.Compression.GZipStream(File.OpenRead(path), System.IO.Compression.CompressionMode.Decompress)
            : (Stream)File.OpenRead(path);
        var documents = new StreamReader(stream).ReadToEnd().Split("\n\n");
        var bytes = documents.Sum(document => (double)Encoding.UTF8.GetByteCount(document));
        foreach (var (name, train) in new (string, Func<Tokenizer>)[]
        {
            ("BPE", () => Tokenizer.Train(documents, 4096)), ("WordPiece", () => WordPieceTrainer.Train(documents, 4096)), ("Unigram", () => UnigramTrainer.Train(documents, 4096)),
        })
        {
            var clock = Stopwatch.StartNew();
            var tokenizer = train();
            Console.WriteLine($"{name}: {tokenizer.VocabularySize} tokens trained on {bytes / 1e6:0.0} MB in {clock.Elapsed.TotalSeconds:0.00} s");
            Encode(tokenizer, documents, bytes);
        }

        foreach (var file in tokenizers)
        {
            var before = GC.GetTotalMemory(forceFullCollection: true);
            var clock = Stopwatch.StartNew();
            var tokenizer = Tokenizer.Load(file);
            Console.WriteLine($"{file}: {tokenizer.VocabularySize} tokens opened in {clock.Elapsed.TotalSeconds:0.00} s, {(GC.GetTotalMemory(forceFullCollection: true) - before) / 1e6:0} MB");
            clock.Restart();
            tokenizer.Encode("first");
            Console.WriteLine($"  first text: {clock.Elapsed.TotalSeconds:0.00} s; then {(GC.GetTotalMemory(forceFullCollection: true) - before) / 1e6:0} MB");
            Encode(tokenizer, documents, bytes);
        }

        return 0;
    }

    private static void Encode(Tokenizer tokenizer, string[] documents, double bytes)
    {
        for (var i = 0; i < 3; i++)
        {
            var clock = Stopwatch.StartNew();
            var tokens = documents.Sum(document => (long)tokenizer.Encode(document).Length);
            var seconds = clock.Elapsed.TotalSeconds;
            clock.Restart();
            var ids = new List<int>();
            Array.ForEach(documents, document => tokenizer.EncodeDirectly(document, ids));
            Console.WriteLine($"  encode: {bytes / 1e6 / seconds:0.0} MB/s; with our own encoder {bytes / 1e6 / clock.Elapsed.TotalSeconds:0.0} MB/s; {bytes / tokens:0.00} bytes a token");
        }
    }
}
