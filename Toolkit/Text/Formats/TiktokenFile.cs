using System.Buffers.Text;
using System.Text;

namespace Toolkit.Text;

/// <summary>OpenAI's tiktoken ranks: a line a token, its bytes in base 64 and its id, which is also the order of merging.</summary>
internal static partial class TiktokenFile
{
    private const int LongestToken = 512;

    /// <summary>Whether a file begins as a list of ranks does.</summary>
    public static bool LooksLike(ReadOnlySpan<byte> content)
    {
        var line = content[..Math.Min(content.Length, 1024)];
        line = line.IndexOf((byte)'\n') is > 0 and var end ? line[..end] : line;
        var space = line.IndexOf((byte)' ');
        return space > 0 && Base64.IsValid(line[..space]) && Utf8Parser.TryParse(line[(space + 1)..], out int _, out _);
    }

    /// <summary>Reads the ranks of an encoding that has a name.</summary>
    /// <exception cref="NotSupportedException">Nobody has told us how an encoding of that name splits a text.</exception>
    public static TokenizerDefinition Read(string name, byte[] content) => TiktokenEncodings.Known.TryGetValue(name, out var encoding)
        ? Define(content, encoding.Pattern, encoding.SpecialTokens)
        : throw new NotSupportedException(
            $"tiktoken ranks of the name '{name}' do not say how a text is split; known are {string.Join(", ", TiktokenEncodings.Known.Keys.Order())}; for others give the expression to Tokenizer.FromTiktoken");

    /// <summary>The tokenizer of some ranks.</summary>
    public static TokenizerDefinition Define(byte[] content, string pattern, IReadOnlyDictionary<string, int> special)
    {
        var ranks = ReadRanks(content);
        var spelt = new Dictionary<string, int>(ranks.Count, StringComparer.Ordinal);
        foreach (var (rank, bytes) in ranks)
        {
            if (!spelt.TryAdd(ByteAlphabet.Spell(bytes), rank))
            {
                throw new InvalidDataException($"the token of rank {rank} is listed twice");
            }
        }

        var model = new BytePairModel { Vocabulary = spelt, Merges = Merges(spelt), IgnoreMerges = true };
        var escaped = System.Text.Json.JsonSerializer.Serialize(PossessiveIntervals().Replace(pattern, "(?>${what}${how})"));
        return TokenizerJson.Define(model, [.. special.OrderBy(token => token.Value).Select(token => new AddedToken(token.Value, token.Key))], new Dictionary<string, string?>
        {
            ["pre_tokenizer"] = "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":" + escaped
                + "},\"behavior\":\"Isolated\",\"invert\":false},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":false}]}",
            ["decoder"] = """{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}""",
        });
    }

    private static SortedDictionary<int, byte[]> ReadRanks(byte[] content)
    {
        var ranks = new SortedDictionary<int, byte[]>();
        var number = 0;
        foreach (var line in Encoding.ASCII.GetString(content).Split('\n'))
        {
            number++;
            if (line.Trim().Length == 0)
            {
                continue;
            }

            var parts = line.Trim().Split(' ');
            if (parts.Length != 2 || !int.TryParse(parts[1], System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var rank)
                || !Base64.IsValid(parts[0]) || Convert.FromBase64String(parts[0]) is not { Length: > 0 and <= LongestToken } bytes)
            {
                throw new InvalidDataException($"line {number} is not a token in base 64 (of at most {LongestToken} bytes) and its rank");
            }

            if (!ranks.TryAdd(rank, bytes))
            {
                throw new InvalidDataException($"line {number} has the rank {rank}, which another line has too");
            }
        }

        return ranks;
    }

    /// <summary>The merge that makes each token: what its bytes are joined to by all that rank before it.</summary>
    private static List<(string Left, string Right)> Merges(Dictionary<string, int> ranks)
    {
        var merges = new List<(string, string)>(ranks.Count);
        var lookup = ranks.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (var (token, rank) in ranks.Where(token => token.Key.Length > 1).OrderBy(token => token.Value))
        {
            var borders = Enumerable.Range(0, token.Length + 1).ToList();
            while (borders.Count > 3)
            {
                var (best, at) = (rank, -1);
                for (var i = 0; i + 2 < borders.Count; i++)
                {
                    if (lookup.TryGetValue(token.AsSpan(borders[i], borders[i + 2] - borders[i]), out var found) && found < best)
                    {
                        (best, at) = (found, i);
                    }
                }

                if (at < 0)
                {
                    break;
                }

                borders.RemoveAt(at + 1);
            }

            // A token that no two others make is found only where it is a whole piece.
            if (borders.Count == 3 && lookup.ContainsKey(token.AsSpan(0, borders[1])) && lookup.ContainsKey(token.AsSpan(borders[1])))
            {
                merges.Add((token[..borders[1]], token[borders[1]..]));
            }
        }

        return merges;
    }

    /// <summary>In tiktoken's syntax <c>a{1,3}+</c> is possessive; in that of a tokenizer.json it is not, and an atomic group says the same.</summary>
    [System.Text.RegularExpressions.GeneratedRegex(@"(?<what>\[(?:\\.|[^\]\\])*\]|\\p\{\w+\}|\\.|[^\\()\[\]{}|?*+])(?<how>\{\d+(?:,\d*)?\})\+")]
    private static partial System.Text.RegularExpressions.Regex PossessiveIntervals();
}
