using System.CommandLine;

namespace Toolkit.Notebook.Documents;

/// <summary>The command <c>toolkit convert</c>.</summary>
internal static class ConvertCommand
{
    public static Command Create()
    {
        var from = new Argument<string>("from") { Description = "An .ipynb or .dib file." };
        var to = new Argument<string>("to") { Description = "The file to write: .ipynb, .dib, or .html for a web page." };
        var command = new Command("convert", "Converts a notebook between Jupyter's .ipynb and .NET Interactive's .dib, or to a web page.") { from, to };
        command.SetAction(parsed => Run(parsed.GetValue(from)!, parsed.GetValue(to)!, Console.Out, Console.Error));
        return command;
    }

    internal static int Run(string from, string to, TextWriter output, TextWriter error)
    {
        try
        {
            if (Path.GetFullPath(from) == Path.GetFullPath(to))
            {
                throw new ArgumentException($"{to}: the notebook itself; a source is never overwritten.");
            }

            var document = DocumentFile.Load(from);
            if (Path.GetExtension(to).Equals(".html", StringComparison.OrdinalIgnoreCase))
            {
                HtmlExport.Save(document, to, Path.GetFileNameWithoutExtension(from));
            }
            else
            {
                DocumentFile.Save(document, to);
            }

            output.WriteLine(Path.GetFullPath(to));
            return 0;
        }
        catch (Exception wrong) when (wrong is NotebookFormatException or ArgumentException or IOException or UnauthorizedAccessException)
        {
            error.WriteLine(wrong.Message);
            return 2;
        }
    }
}
