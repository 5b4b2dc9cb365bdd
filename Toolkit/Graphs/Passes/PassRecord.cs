namespace Toolkit.Graphs.Passes;

/// <summary>What a pass did.</summary>
/// <param name="Pass">Its name.</param>
/// <param name="Before">The graph that it was given.</param>
/// <param name="After">The graph that it made.</param>
/// <param name="Elapsed">How long it took.</param>
public sealed record PassRecord(string Pass, Graph Before, Graph After, TimeSpan Elapsed);
