using System.Globalization;
using System.Xml.Linq;
using CsCheck;
using Toolkit.Display;

namespace Toolkit.Tests.Display;

public sealed class TokenViewTests
{
    [Fact]
    public void EveryTokenIsAChipWithItsIdAndVisibleText()
    {
        var chips = Chips(new TokenView([(464, " The"), (11, "<b>&"), (198, "\n"), (7, "")]));

        Assert.Equal(["·The", "<b>&", "↵", "∅"], chips.Select(chip => chip.Value));
        Assert.Equal(["id 464, position 0", "id 11, position 1", "id 198, position 2", "id 7, position 3"], chips.Select(chip => chip.Attribute("title")!.Value));
    }

    [Fact]
    public void IdsAndTheirTextsMakeTheSameView() => Assert.Equal(
        new TokenView([(1, "a"), (2, "b")], "t").ToMimeBundle().Parts,
        new TokenView([1, 2], id => id == 1 ? "a" : "b", "t").ToMimeBundle().Parts);

    [Fact]
    public void PlainTextListsTokensAndIds() =>
        Assert.Equal("·The|⇥\nids: 464 9\n2 tokens, 5 characters, 2.50 characters a token", new TokenView([(464, " The"), (9, "\t")]).ToMimeBundle().Plain);

    [Fact]
    public void AnyTextIsWellFormed() => Gen.Select(Gen.Int, Gen.String).Array[0, 12].Sample(tokens =>
    {
        var bundle = new TokenView(tokens).ToMimeBundle();
        var chips = Chips(new TokenView(tokens));
        Assert.Equal(tokens.Length, chips.Length);
        Assert.DoesNotContain('\u001b', bundle.Plain);
        Assert.All(tokens.Zip(chips), pair => Assert.Contains(pair.First.Item1.ToString(CultureInfo.InvariantCulture), pair.Second.Attribute("title")!.Value));
    }, iter: 2000);

    private static XElement[] Chips(TokenView view) =>
        [.. XElement.Parse($"<page>{view.ToMimeBundle().Html}</page>").Descendants("span").Where(span => span.Attribute("title") is not null)];
}
