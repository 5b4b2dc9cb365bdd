using System.Net;

namespace Toolkit.Display;

/// <summary>HTML fragments of one look. Colours inherit from the page or are half transparent, so that light and dark pages both work.</summary>
internal static class Fragment
{
    private const string Style = """
        <style>
        .tk-box{font:13px/1.45 system-ui,-apple-system,"Segoe UI",sans-serif;color:inherit;margin:.4em 0;max-width:100%}
        .tk-title{font-weight:600;margin-bottom:.25em}
        .tk-note{opacity:.68;font-size:12px}
        .tk-scroll{overflow-x:auto}
        .tk-table{border-collapse:collapse;font-variant-numeric:tabular-nums}
        .tk-table th{font-weight:600;text-align:left;padding:3px 12px 3px 8px;border-bottom:1px solid rgba(128,128,128,.55)}
        .tk-table td{text-align:left;padding:2px 12px 2px 8px;border-bottom:1px solid rgba(128,128,128,.18)}
        .tk-table th.tk-num,.tk-table td.tk-num{text-align:right;white-space:nowrap}
        .tk-bar{height:8px;border-radius:4px;background:rgba(128,128,128,.25);overflow:hidden;margin:.3em 0;max-width:640px}
        .tk-fill{height:100%;background:#3b82c4;border-radius:4px}
        .tk-tokens{font-family:ui-monospace,Consolas,monospace;line-height:1.9;white-space:pre-wrap;overflow-wrap:anywhere}
        .tk-token{padding:2px 1px;border-radius:3px;margin-right:1px}
        .tk-c0{background:rgba(59,130,196,.32)}.tk-c1{background:rgba(224,142,46,.34)}.tk-c2{background:rgba(76,166,92,.32)}
        .tk-c3{background:rgba(204,84,94,.30)}.tk-c4{background:rgba(146,104,192,.32)}
        .tk-space{opacity:.5}
        .tk-tree details,.tk-leaf{margin-left:1.2em}
        .tk-tree summary{cursor:pointer}
        .tk-tree code{font-family:ui-monospace,Consolas,monospace}
        .tk-error{border-left:3px solid #cc545e;padding-left:.7em}
        .tk-error pre{white-space:pre-wrap;margin:.3em 0}
        </style>
        """;

    public static string Encode(string text)
    {
        // Control characters are drawn as their pictures: a page, an XML reader and a terminal all stay whole.
        var visible = text.Any(IsControl) ? string.Concat(text.Select(c => IsControl(c) ? Picture(c) : c)) : text;
        return WebUtility.HtmlEncode(visible);
    }

    public static char Picture(char c) => c < ' ' ? (char)(0x2400 + c) : '\u2421';

    /// <summary>A box with the style in front of it: every fragment stands alone.</summary>
    public static string Box(string content, string title = "") =>
        $"{Style}<div class=\"tk-box\">{(title.Length > 0 ? $"<div class=\"tk-title\">{Encode(title)}</div>" : "")}{content}</div>";

    public static string Note(string text) => $"<div class=\"tk-note\">{Encode(text)}</div>";

    private static bool IsControl(char c) => c is < ' ' and not ('\n' or '\t' or '\r') or '\u007f' or '\ufffe' or '\uffff';
}
