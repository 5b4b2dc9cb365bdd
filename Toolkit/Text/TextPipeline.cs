namespace Toolkit.Text;

/// <summary>The way from a text to tokens: added tokens, normalizer, pre-tokenizers, vocabulary.</summary>
internal sealed class TextPipeline
{
    private readonly Normalizer? _normalizer;
    private readonly PreTokenizer[] _steps;
    private readonly AddedTokenFinder _raw;
    private readonly AddedTokenFinder _normalized;
    private readonly bool _hasNormalized;
    private readonly PieceEncoder _encoder;
    private readonly Lazy<LibraryEncoder>? _library;

    /// <exception cref="InvalidDataException">The vocabulary does not fit together.</exception>
    public TextPipeline(TokenizerDefinition definition)
    {
        _normalizer = definition.Normalizer;
        _raw = new(definition.Added.Where(token => !token.Normalized), token => token.Content);
        _normalized = new(definition.Added.Where(token => token.Normalized), token => _normalizer?.Normalize(token.Content) ?? token.Content);
        _hasNormalized = definition.Added.Any(token => token.Normalized);
        _steps = [.. definition.PreTokenizers];
        if (definition.Model is BytePairModel { ContinuingPrefix: "", EndOfWordSuffix: "", ByteFallback: false } bytes && _steps is [.., ByteLevelPreTokenizer last])
        {
            _steps[^1] = last.WithoutSpelling();
            _encoder = bytes.EncoderOfBytes();
            // The library always merges, knows only whole byte alphabets, and takes parts by their place in the text.
            if (!bytes.IgnoreMerges && bytes.HasEveryByte && !last.AddsPrefixSpace && Array.TrueForAll(_steps, step => step is ByteLevelPreTokenizer { AddsPrefixSpace: false } or SplitPreTokenizer))
            {
                _library = new(() => new LibraryEncoder(bytes, Split));
            }
        }
        else
        {
            _encoder = definition.Model.Encoder();
            PreTokenizer? cuts = definition.Model switch
            {
                BytePairModel model => SafeCutPreTokenizer.Of(model),
                ScoredPieceModel model => SafeCutPreTokenizer.Of(model),
                _ => null,
            };
            _steps = cuts is null ? _steps : [.. _steps, cuts];
        }
    }

    /// <summary>Appends the tokens of a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="special">Whether the text of a special token is that token.</param>
    /// <param name="ids">Receives the tokens.</param>
    /// <param name="directly">Whether our own encoder is used even where the library could.</param>
    public void Encode(string text, bool special, List<int> ids, bool directly = false)
    {
        foreach (var (token, begin, end) in _raw.Split(text, special))
        {
            if (token is not null)
            {
                ids.Add(token.Id);
                continue;
            }

            var part = begin == 0 && end == text.Length ? text : text[begin..end];
            EncodeNormalized(_normalizer is null ? part : _normalizer.Normalize(part), begin == 0, special, ids, directly);
        }
    }

    private void EncodeNormalized(string text, bool atStart, bool special, List<int> ids, bool directly)
    {
        if (!_hasNormalized)
        {
            EncodeText(text, atStart, ids, directly);
            return;
        }

        foreach (var (token, begin, end) in _normalized.Split(text, special))
        {
            if (token is not null)
            {
                ids.Add(token.Id);
            }
            else
            {
                EncodeText(begin == 0 && end == text.Length ? text : text[begin..end], atStart && begin == 0, ids, directly);
            }
        }
    }

    private void EncodeText(string text, bool atStart, List<int> ids, bool directly)
    {
        if (text.Length == 0)
        {
            return;
        }

        // The library replaces a lone surrogate by U+FFFD, which would not come back.
        if (_library is not null && !directly && Wtf8.IsValid(text))
        {
            _library.Value.Encode(text, ids);
            return;
        }

        foreach (var part in Split(text, atStart))
        {
            _encoder.Encode(part.Span, ids);
        }
    }

    private List<TextSlice> Split(string text) => Split(text, atStart: true);

    private List<TextSlice> Split(string text, bool atStart)
    {
        var parts = new List<TextSlice>(text.Length / 4) { new(text, 0, text.Length, atStart) };
        foreach (var step in _steps)
        {
            var finer = new List<TextSlice>(parts.Count * 2);
            foreach (var part in parts)
            {
                if (part.Length > 0)
                {
                    step.Split(part, finer);
                }
            }

            parts = finer;
        }

        return parts;
    }
}
