namespace Toolkit.Text;

/// <summary>What is put around the tokens of one text, or of two (the <c>post_processor</c> of a tokenizer.json).</summary>
/// <param name="Single">The parts for one text.</param>
/// <param name="Pair">The parts for two texts.</param>
internal sealed record PostProcessor(IReadOnlyList<PostProcessor.Part> Single, IReadOnlyList<PostProcessor.Part> Pair)
{
    /// <summary>Nothing around one text; two follow each other.</summary>
    public static PostProcessor None { get; } = new([new(0, null, 0)], [new(0, null, 0), new(1, null, 1)]);

    /// <summary>A text (0 the first, 1 the second) or some tokens, and the type of its tokens.</summary>
    internal sealed record Part(int Sequence, IReadOnlyList<int>? Ids, int TypeId);

    /// <summary>One text with a token before and after it, where given.</summary>
    public static PostProcessor Around(int? before, int? after)
    {
        Part[] Of(int? id, int type) => id is { } token ? [new(-1, [token], type)] : [];
        return new([.. Of(before, 0), new(0, null, 0), .. Of(after, 0)], [.. Of(before, 0), new(0, null, 0), .. Of(after, 0), .. Of(before, 1), new(1, null, 1), .. Of(after, 1)]);
    }

    /// <summary>Reads the <c>post_processor</c> of a tokenizer.json.</summary>
    /// <exception cref="InvalidDataException">It is malformed.</exception>
    /// <exception cref="NotSupportedException">It is of a type that nobody has described to us.</exception>
    public static PostProcessor Read(JsonFields? description)
    {
        if (description is not { } json)
        {
            return None;
        }

        switch (json.Type)
        {
            case "ByteLevel":
                // It changes only offsets.
                return None;
            case "BertProcessing":
                return Classified(Token(json, "cls"), Token(json, "sep"), doubled: false);
            case "RobertaProcessing":
                return Classified(Token(json, "cls"), Token(json, "sep"), doubled: true);
            case "TemplateProcessing":
                var tokens = json.Object("special_tokens").Element.EnumerateObject().DistinctBy(JsonFields.NameOf)
                    .ToDictionary(JsonFields.NameOf, token => Ids(new JsonFields(token.Value, $"{json.Path}.special_tokens.{JsonFields.NameOf(token)}")));
                return new(Template(json, "single", tokens), Template(json, "pair", tokens));
            case "Sequence":
                var parts = json.Objects("processors").Select(part => Read(part)).Where(part => part != None).ToArray();
                return parts.Length switch
                {
                    0 => None,
                    1 => parts[0],
                    _ => throw new NotSupportedException($"{json.Path} puts tokens around a text {parts.Length} times; only once is supported"),
                };
            default:
                throw new NotSupportedException($"{json.Path} is of type {json.Type}, which is not supported");
        }
    }

    private static PostProcessor Classified(int begin, int end, bool doubled)
    {
        Part[] single = [new(-1, [begin], 0), new(0, null, 0), new(-1, [end], 0)];
        // RoBERTa puts two separators between the texts and has no second type.
        return new(single, doubled ? [.. single, new(-1, [end], 0), new(1, null, 0), new(-1, [end], 0)] : [.. single, new(1, null, 1), new(-1, [end], 1)]);
    }

    private static int Token(JsonFields json, string name)
    {
        var pair = json.Items(name).ToArray();
        return pair.Length == 2 && pair[1].ValueKind == System.Text.Json.JsonValueKind.Number && pair[1].TryGetInt32(out var id) ? id : throw json.Problem(name, "is not a token and its id");
    }

    private static int[] Ids(JsonFields json) => json.Element.ValueKind != System.Text.Json.JsonValueKind.Object ? throw new InvalidDataException($"{json.Path} is not an object")
        : [.. json.Items("ids").Select(id => id.ValueKind == System.Text.Json.JsonValueKind.Number && id.TryGetInt32(out var value) ? value : throw json.Problem("ids", "is not whole numbers"))];

    private static Part[] Template(JsonFields json, string name, Dictionary<string, int[]> tokens) => [.. json.Objects(name).Select(part =>
    {
        if (part.Optional("SpecialToken") is { } token)
        {
            var id = token.Text("id");
            return new Part(-1, tokens.TryGetValue(id, out var ids) ? ids : throw token.Problem("id", $"is '{id}', which special_tokens does not list"), token.Number("type_id", 0));
        }

        var sequence = part.Object("Sequence");
        return sequence.Text("id") switch
        {
            "A" => new Part(0, null, sequence.Number("type_id", 0)),
            "B" => new Part(1, null, sequence.Number("type_id", 0)),
            var other => throw sequence.Problem("id", $"is '{other}', neither A nor B"),
        };
    })];
}
