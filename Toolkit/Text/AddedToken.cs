namespace Toolkit.Text;

/// <summary>A token that is found in the text itself, before any splitting (the <c>added_tokens</c> of a tokenizer.json).</summary>
/// <param name="Id">The token.</param>
/// <param name="Content">The text that is the token.</param>
/// <param name="Special">Whether it steers the model rather than being text: it is found only when asked for, and can be left out of decoded text.</param>
/// <param name="SingleWord">Whether it is found only where no letter, digit or underscore touches it.</param>
/// <param name="LeftStrip">Whether it swallows the white space before it.</param>
/// <param name="RightStrip">Whether it swallows the white space after it.</param>
/// <param name="Normalized">Whether it is looked for in the normalized text rather than in the text as given.</param>
public sealed record AddedToken(
    int Id, string Content, bool Special = true, bool SingleWord = false, bool LeftStrip = false, bool RightStrip = false, bool Normalized = false);
