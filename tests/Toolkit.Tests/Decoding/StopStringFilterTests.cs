using CsCheck;
using Toolkit.Decoding;

namespace Toolkit.Tests.Decoding;

public sealed class StopStringFilterTests
{
    [Fact]
    public void Text_that_could_begin_a_stop_string_is_held_back_until_it_cannot()
    {
        var filter = new StopStringFilter(["END"]);
        Assert.Equal("a", filter.Append("aE"));
        Assert.Equal("", filter.Append("N"));
        Assert.Equal("ENT", filter.Append("T"));
        Assert.Equal("", filter.Append("E"));
        Assert.Equal("E", filter.Flush());
        Assert.False(filter.Stopped);
    }

    [Fact]
    public void The_first_stop_string_ends_the_text()
    {
        var filter = new StopStringFilter(["xyz", "b\n"]);
        Assert.Equal("a", filter.Append("ab"));
        Assert.Equal("", filter.Append("\n xyz"));
        Assert.True(filter.Stopped);
        Assert.Equal("", filter.Append("more"));
        Assert.Equal("", filter.Flush());
    }

    [Fact]
    public void However_text_is_cut_the_same_is_shown_and_no_part_of_the_stop_string()
    {
        var pieces = Gen.Char["ab"].Array[0, 4].Select(c => new string(c)).Array[0, 12];
        var stop = Gen.Char["ab"].Array[1, 5].Select(c => new string(c));
        Gen.Select(pieces, stop).Sample((parts, end) =>
        {
            var filter = new StopStringFilter([end]);
            var shown = "";
            foreach (var part in parts)
            {
                shown += filter.Append(part);
            }

            shown += filter.Flush();
            var text = string.Concat(parts);
            var at = text.IndexOf(end, StringComparison.Ordinal);
            Assert.Equal(at < 0 ? text : text[..at], shown);
            Assert.Equal(at >= 0, filter.Stopped);
        }, iter: 2000);
    }
}
