using System.Collections;
using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Data.Analysis;
using Spectre.Console;
using SpectreText = Spectre.Console.Text;

namespace Toolkit.Display;

/// <summary>Rows and columns as an HTML table and as text. Columns of numbers, also of such as are written with a unit (12.5 MB), are right-aligned.</summary>
/// <param name="columns">Column titles.</param>
/// <param name="rows">Cells, one list a row, in the order of the columns.</param>
public sealed partial class TableView(IReadOnlyList<string> columns, IEnumerable<IReadOnlyList<object?>> rows) : IDisplayable
{
    /// <summary>Rows that a sequence of unknown length shows at most.</summary>
    internal const int MostRows = 20;

    private readonly IReadOnlyList<object?>[] _rows = [.. rows];

    /// <summary>A line above the table; empty for none.</summary>
    public string Title { get; init; } = "";

    /// <summary>A line below the table, such as "12 more rows"; empty for none.</summary>
    public string Note { get; init; } = "";

    /// <summary>A table of objects: one column a public property; of values such as numbers and strings: one column.</summary>
    public static TableView Of(IEnumerable items)
    {
        // One row more than is shown tells whether there are more, without running a lazy sequence to its end.
        var taken = items.Cast<object?>().Take(MostRows + 1).ToArray();
        var shown = taken.Take(MostRows).ToArray();
        var known = items is ICollection collection ? collection.Count : -1;
        var note = taken.Length <= MostRows ? $"{shown.Length} {(shown.Length == 1 ? "row" : "rows")}"
            : known >= 0 ? $"the first {MostRows} of {Units.Count(known)} rows" : $"the first {MostRows} rows; there are more";
        var members = shown.FirstOrDefault(item => item is not null) is { } first && shown.All(item => item is null || item.GetType() == first.GetType()) ? Members(first.GetType()) : [];
        return members.Count == 0
            ? new TableView(["value"], shown.Select(item => (IReadOnlyList<object?>)[item])) { Note = note }
            : new TableView([.. members.Select(member => member.Name)], shown.Select(item => (IReadOnlyList<object?>)[.. members.Select(member => item is null ? null : member.Read(item))])) { Note = note };
    }

    /// <summary>A table of keys and values.</summary>
    public static TableView Of(IDictionary entries)
    {
        var rows = entries.Keys.Cast<object>().Take(MostRows).Select(key => (IReadOnlyList<object?>)[key, entries[key]]);
        return new TableView(["key", "value"], rows) { Note = entries.Count > MostRows ? $"the first {MostRows} of {Units.Count(entries.Count)} entries" : $"{entries.Count} {(entries.Count == 1 ? "entry" : "entries")}" };
    }

    /// <summary>The first rows and the shape of a data frame.</summary>
    public static TableView Of(DataFrame frame)
    {
        var count = (int)Math.Min(frame.Rows.Count, MostRows);
        var rows = Enumerable.Range(0, count).Select(row => (IReadOnlyList<object?>)[.. frame.Columns.Select(column => column[row])]);
        var shape = $"{Units.Count(frame.Rows.Count)} rows × {frame.Columns.Count} columns";
        return new TableView([.. frame.Columns.Select(column => column.Name)], rows) { Note = frame.Rows.Count > count ? $"{shape}, the first {count} shown" : shape };
    }

    /// <inheritdoc/>
    public MimeBundle ToMimeBundle()
    {
        var numeric = columns.Select((_, column) => _rows.Length > 0 && _rows.All(row => row[column] is null || IsNumber(row[column]!))).ToArray();
        return MimeBundle.Of(Html(numeric), Plain(numeric));
    }

    private static bool IsNumber(object value) =>
        value is string text ? text.Length == 0 || Written().IsMatch(text)
        : value is TimeSpan or Evaluation.MemoryUse || (Type.GetTypeCode(value.GetType()) is >= TypeCode.SByte and <= TypeCode.Decimal && !value.GetType().IsEnum);

    // 1,024; 12.5 MB; -3e-4; 0.95x; 27 %; not 2026-11-28, 1.2.3 or "3 rows of 4".
    [GeneratedRegex(@"^[-+]?\d[\d,]*(\.\d+)?(e[-+]?\d+)?( ?(%|x|×|[kMGTP]?i?B(/s)?|[kMGTP]?FLOPs?(/s)?|tokens/s|[nµm]?s))?$", RegexOptions.IgnoreCase)]
    private static partial Regex Written();

    private static IReadOnlyList<(string Name, Func<object, object?> Read)> Members(Type type)
    {
        if (type.IsPrimitive || type.IsEnum || type == typeof(string) || type == typeof(decimal) || type == typeof(TimeSpan) || typeof(IFormattable).IsAssignableFrom(type)
            || typeof(TorchSharp.torch.Tensor).IsAssignableFrom(type) || typeof(IEnumerable).IsAssignableFrom(type))
        {
            return [];
        }

        var properties = type.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(property => property.CanRead && property.GetIndexParameters().Length == 0);
        var fields = type.GetFields(BindingFlags.Public | BindingFlags.Instance);
        return
        [
            .. properties.Select(property => (property.Name, (Func<object, object?>)(item => Read(property, item)))),
            .. fields.Select(field => (field.Name, (Func<object, object?>)field.GetValue)),
        ];
    }

    private static object? Read(PropertyInfo property, object item)
    {
        try
        {
            return property.GetValue(item);
        }
        catch (TargetInvocationException failure)
        {
            return $"({failure.InnerException!.GetType().Name})";
        }
    }

    private string Html(bool[] numeric)
    {
        var html = new StringBuilder("<div class=\"tk-scroll\"><table class=\"tk-table\"><thead><tr>");
        for (var column = 0; column < columns.Count; column++)
        {
            html.Append(numeric[column] ? "<th class=\"tk-num\">" : "<th>").Append(Fragment.Encode(columns[column])).Append("</th>");
        }

        html.Append("</tr></thead><tbody>");
        foreach (var row in _rows)
        {
            html.Append("<tr>");
            for (var column = 0; column < columns.Count; column++)
            {
                html.Append(numeric[column] ? "<td class=\"tk-num\">" : "<td>").Append(Fragment.Encode(Units.Cell(row[column]))).Append("</td>");
            }

            html.Append("</tr>");
        }

        return Fragment.Box($"{html}</tbody></table></div>{(Note.Length > 0 ? Fragment.Note(Note) : "")}", Title);
    }

    private string Plain(bool[] numeric)
    {
        var cells = _rows.Select(row => row.Select(Units.Cell).ToArray()).ToArray();
        var body = string.Join('\n', Blocks(cells).Select(block => PlainText.Render(Table(block, cells, numeric))));
        return string.Join('\n', new[] { Title, body, Note }.Where(part => part.Length > 0));
    }

    private Table Table(IReadOnlyList<int> block, string[][] cells, bool[] numeric)
    {
        var table = new Table().Border(TableBorder.Simple);
        foreach (var column in block)
        {
            table.AddColumn(new TableColumn(new SpectreText(columns[column])) { Alignment = numeric[column] ? Justify.Right : Justify.Left, NoWrap = numeric[column] });
        }

        foreach (var row in cells)
        {
            table.AddRow(block.Select(column => new SpectreText(row[column])));
        }

        return table;
    }

    /// <summary>Columns that fit side by side; a wide table continues below, led by its first column again.</summary>
    private IEnumerable<IReadOnlyList<int>> Blocks(string[][] cells)
    {
        const int Gap = 3;
        const int Widest = 48;
        var widths = columns.Select((name, column) => Gap + Math.Min(Widest, cells.Select(row => row[column].Length).Append(name.Length).Max())).ToArray();
        List<int> block = [];
        for (var column = 0; column < columns.Count; column++)
        {
            if (block.Count > 1 && block.Sum(index => widths[index]) + widths[column] > PlainText.Width - 2)
            {
                yield return block;
                block = [0];
            }

            block.Add(column);
        }

        if (block.Count > 0)
        {
            yield return block;
        }
    }
}
