using System.Collections;

namespace Toolkit.Display;

/// <summary>How a value is shown that nobody registered a formatter for: sequences and dictionaries as tables, the rest as text.</summary>
internal static class DefaultFormat
{
    public static MimeBundle Of(object value) => value switch
    {
        string text => MimeBundle.Of($"<pre>{Fragment.Encode(text)}</pre>", text),
        IDictionary entries => TableView.Of(entries).ToMimeBundle(),
        IEnumerable items => TableView.Of(items).ToMimeBundle(),
        _ => MimeBundle.Of($"<pre>{Fragment.Encode(Units.Cell(value))}</pre>", Units.Cell(value)),
    };
}
