using System.Diagnostics;
using System.Text;
using Toolkit.Text;

namespace Toolkit.Tests.Text;

/// <summary>
/// Files with random damage: each is read and used, or refused with one of the exceptions that are documented, in good time and without more memory than it
/// justifies. TOOLKIT_FUZZ multiplies how many are tried (1 by default; 25 make more than 100,000 of each format).
/// </summary>
public sealed class HostileTokenizerTests
{
    private const int Tried = 4_000;
    private const long AllowedBytes = 64L << 20;
    private static readonly TimeSpan _allowedTime = TimeSpan.FromSeconds(20);
    private static readonly int _times = int.TryParse(Environment.GetEnvironmentVariable("TOOLKIT_FUZZ"), out var times) ? times : 1;

    [Fact]
    public void DamagedTokenizerJsonIsReadOrRefused() => Fuzz("tokenizer.json", [.. Json()], Encoding.UTF8.GetBytes("{}[]\",:0-9.e\\ntrufalsB▁Ġ<>"), ["null", "-1", "1e999", "16777216", "[]", "{}", "\"\"", "\"\\ud800\"", "\"type\"", "[[[[[[[["]);

    [Fact]
    public void DamagedSentencePieceModelsAreReadOrRefused() => Fuzz("tokenizer.model", [SentencePiece(isBytePair: true), SentencePiece(isBytePair: false)], [0, 1, 2, 3, 4, 5, 6, 0x7F, 0x80, 0xFF, 0x0A, 0x12, 0x1A], ["\u00FF\u00FF\u00FF\u00FF\u007F"]);

    [Fact]
    public void DamagedTiktokenRanksAreReadOrRefused() =>
        Fuzz("gpt2.tiktoken", [Encoding.ASCII.GetBytes(string.Join('\n', Enumerable.Range(0, 256).Select(value => $"{Convert.ToBase64String([(byte)value])} {value}").Append("aGU= 256")))], "=+/ 0129azAZ\n\r"u8.ToArray(), ["99999999999", "\n\n"]);

    private static void Fuzz(string name, byte[][] files, byte[] likely, string[] words)
    {
        var random = new Random(17);
        var clock = new Stopwatch();
        var (read, refused) = (0, 0);
        for (var i = 0; i < Tried * _times; i++)
        {
            var damaged = Damage(files[i % files.Length], random, likely, words);
            var before = GC.GetAllocatedBytesForCurrentThread();
            clock.Restart();
            try
            {
                var tokenizer = Tokenizer.Parse(name, damaged);
                tokenizer.Decode(tokenizer.Encode("Hello né 12 🦙 <s>\n", parseSpecialTokens: true, addSpecialTokens: true));
                read++;
            }
            catch (Exception problem) when (problem is InvalidDataException or NotSupportedException or ArgumentOutOfRangeException)
            {
                Assert.NotEmpty(problem.Message);
                refused++;
            }
            catch (Exception problem)
            {
                Assert.Fail($"{name} number {i}: {problem}\n{Encoding.UTF8.GetString(damaged.AsSpan(0, Math.Min(damaged.Length, 4000)))}");
            }

            var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(allocated < AllowedBytes, $"{name} number {i}: {allocated / 1e6:0} MB for a file of {damaged.Length} bytes");
            Assert.True(clock.Elapsed < _allowedTime, $"{name} number {i} took {clock.Elapsed}");
        }

        // Damage that nothing survives, or that nothing notices, would test nothing.
        Assert.True(read > Tried / 50 && refused > Tried / 50, $"{read} read, {refused} refused");
    }

    private static byte[] Damage(byte[] file, Random random, byte[] likely, string[] words)
    {
        var bytes = file.ToList();
        for (var changes = 1 + random.Next(4); changes > 0 && bytes.Count > 4; changes--)
        {
            var at = random.Next(bytes.Count);
            switch (random.Next(7))
            {
                case 0:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    bytes[at] = likely[random.Next(likely.Length)];
                    break;
                case 2:
                    bytes.Insert(at, likely[random.Next(likely.Length)]);
                    break;
                case 3:
                    bytes.InsertRange(at, Encoding.UTF8.GetBytes(words[random.Next(words.Length)]));
                    break;
                case 4:
                    bytes.RemoveRange(at, Math.Min(bytes.Count - at, 1 + random.Next(16)));
                    break;
                case 5:
                    bytes.InsertRange(at, bytes.GetRange(random.Next(bytes.Count), 0).Concat(bytes.Skip(random.Next(bytes.Count)).Take(1 + random.Next(24))).ToArray());
                    break;
                default:
                    if (random.Next(8) == 0)
                    {
                        bytes.RemoveRange(at, bytes.Count - at);
                    }

                    break;
            }
        }

        return [.. bytes];
    }

    private static IEnumerable<byte[]> Json()
    {
        const string added = """ "version":"1.0","truncation":null,"padding":null,"added_tokens":[{"id":3,"content":"<s>","special":true,"lstrip":true,"rstrip":false,"single_word":false,"normalized":false},{"id":9,"content":"né","special":false,"normalized":true}] """;
        string[] models =
        [
            """{"type":"BPE","unk_token":"<s>","fuse_unk":true,"byte_fallback":true,"ignore_merges":false,"vocab":{"H":0,"e":1,"l":2,"<s>":3,"He":4,"ll":5,"Hell":6,"▁":7,"<0x0A>":8},"merges":["H e",["l","l"],"He ll"]}""",
            """{"type":"BPE","vocab":{"H":0,"e":1,"l":2,"<s>":3,"He":4,"Ġ":5,"1":6},"merges":["H e"]}""",
            """{"type":"WordPiece","unk_token":"<s>","continuing_subword_prefix":"##","max_input_chars_per_word":100,"vocab":{"he":0,"##ll":1,"##o":2,"<s>":3,"1":4,"##2":5}}""",
            """{"type":"Unigram","unk_id":3,"vocab":[["He",-1.5],["l",-2],["▁",-0.5],["<s>",0.0],["llo",-3.25]],"byte_fallback":false}""",
            """{"type":"WordLevel","unk_token":"<s>","vocab":{"Hello":0,"<s>":3}}""",
        ];
        string[] normalizers =
        [
            "null", """{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Replace","pattern":{"Regex":" {2,}"},"content":" "},{"type":"Strip","strip_left":true,"strip_right":false},{"type":"Nmt"}]}""",
            """{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true}""",
            $$"""{"type":"Sequence","normalizers":[{"type":"Precompiled","precompiled_charsmap":"{{Convert.ToBase64String(CharacterMap())}}"},{"type":"Prepend","prepend":"▁"}]}""",
        ];
        string[] preTokenizers =
        [
            """{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\p{N}{1,3}| ?\\p{L}+|\\s+(?!\\S)"},"behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]}""",
            """{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true}""", """{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},{"type":"Punctuation","behavior":"Contiguous"},{"type":"WhitespaceSplit"}]}""", """{"type":"BertPreTokenizer"}""",
        ];
        string[] rest =
        [
            """ "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],"special_tokens":{"<s>":{"id":"<s>","ids":[3],"tokens":["<s>"]}}},"decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]} """,
            """ "post_processor":{"type":"BertProcessing","sep":["<s>",3],"cls":["<s>",3]},"decoder":{"type":"WordPiece","prefix":"##","cleanup":true} """,
            """ "post_processor":{"type":"RobertaProcessing","sep":["<s>",3],"cls":["<s>",3],"trim_offsets":true,"add_prefix_space":true},"decoder":{"type":"CTC","pad_token":"<pad>","word_delimiter_token":"|","cleanup":true} """,
            """ "post_processor":null,"decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true} """,
        ];
        for (var i = 0; i < 40; i++)
        {
            yield return Encoding.UTF8.GetBytes($"{{{added},\"normalizer\":{normalizers[i % 4]},\"pre_tokenizer\":{preTokenizers[i / 4 % 4]},{rest[i / 2 % 4]},\"model\":{models[i % 5]}}}");
        }
    }

    private static byte[] SentencePiece(bool isBytePair)
    {
        string[] texts = ["<unk>", "<s>", "</s>", "▁", "H", "e", "l", "o", "He", "ll", "llo", "▁H", "▁He", "▁Hello", "né", "<0xC3>", "<0xA9>"];
        var file = new SentencePieceFile
        {
            Pieces = [.. texts.Select((text, id) => new SentencePiece(text, -id, id == 0 ? SentencePieceType.Unknown : id < 3 ? SentencePieceType.Control : text == "né" ? SentencePieceType.UserDefined
                : text[0] == '<' ? SentencePieceType.Byte : text == "llo" ? SentencePieceType.Unused : SentencePieceType.Normal))],
            IsBytePair = isBytePair,
            ByteFallback = isBytePair,
            CharacterMap = new CharacterMap(CharacterMap()),
        };
        return file.Define(addBegin: true, addEnd: false).Content();
    }

    /// <summary>A double array that knows no text, and a replacement that nothing points to.</summary>
    private static byte[] CharacterMap() => [.. BitConverter.GetBytes(16), .. new byte[16], (byte)'a', 0];
}
