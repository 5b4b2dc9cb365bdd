using System.Net;

namespace Toolkit.Display;

/// <summary>How a value is shown that nobody registered a formatter for.</summary>
internal static class DefaultFormat
{
    public static MimeBundle Of(object value)
    {
        var text = value.ToString() ?? "";
        return value is string ? MimeBundle.Text(text) : MimeBundle.Of($"<pre>{WebUtility.HtmlEncode(text)}</pre>", text);
    }
}
