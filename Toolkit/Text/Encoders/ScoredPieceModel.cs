namespace Toolkit.Text;

/// <summary>SentencePiece's byte-pair encoding: of all neighbours that spell a piece together, those with the best score are joined first.</summary>
internal sealed record ScoredPieceModel : VocabularyModel
{
    public required SentencePieceFile File { get; init; }

    /// <summary>Pieces that are never cut nor joined.</summary>
    public required IReadOnlyCollection<string> UserDefined { get; init; }

    /// <inheritdoc/>
    public override PieceEncoder Encoder() => new ScoredPieceEncoder(this);
}
