using System.Diagnostics;
using System.Text;
using Toolkit.Text;

namespace Toolkit.Benchmarks.Text;

/// <summary>Seconds to train a vocabulary of 4096 on a text, and megabytes a second that are encoded with it, the library beside our own encoder.</summary>
internal static class TokenizerBenchmark
{
    public static int Run(string path)
    {
        using var stream = path.EndsWith(".gz", StringComparison.Ordinal)
            ? new System.IO.Compression.GZipStream(File.OpenRead(path), System.IO.Compression.CompressionMode.Decompress)
            : (Stream)File.OpenRead(path);
        var documents = new StreamReader(stream).ReadToEnd().Split("\n\n");
        var bytes = documents.Sum(document => (double)Encoding.UTF8.GetByteCount(document));
        for (var i = 0; i < 3; i++)
        {
            var clock = Stopwatch.StartNew();
            var tokenizer = Tokenizer.Train(documents, 4096);
            Console.WriteLine($"train {tokenizer.VocabularySize} tokens on {bytes / 1e6:0.0} MB: {clock.Elapsed.TotalSeconds:0.00} s");
            clock.Restart();
            var tokens = documents.Sum(document => (long)tokenizer.Encode(document).Length);
            Console.WriteLine($"encode, library: {bytes / 1e6 / clock.Elapsed.TotalSeconds:0.0} MB/s, {bytes / tokens:0.00} bytes a token");
            clock.Restart();
            var ids = new List<int>();
            documents.ToList().ForEach(document => tokenizer.EncodeDirectly(document, ids));
            Console.WriteLine($"encode, own:     {bytes / 1e6 / clock.Elapsed.TotalSeconds:0.0} MB/s, {bytes / ids.Count:0.00} bytes a token");
        }

        return 0;
    }
}
