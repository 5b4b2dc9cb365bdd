using System.Globalization;

namespace Toolkit.Graphs;

/// <summary>How many there are of something, as people write it: 1 graph, 1,200 nodes.</summary>
internal static class Quantity
{
    public static string Of(long count, string noun) => $"{count.ToString("N0", CultureInfo.InvariantCulture)} {noun}{(count == 1 ? "" : "s")}";
}
