namespace Toolkit.Text;

/// <summary>What becomes of the text that separates (the names of Hugging Face's tokenizers).</summary>
internal enum SplitBehavior
{
    Removed,
    Isolated,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}
