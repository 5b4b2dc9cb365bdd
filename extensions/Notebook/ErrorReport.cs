using System.Diagnostics;
using System.Reflection;
using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;

namespace Toolkit.Notebook;

/// <summary>Turns exceptions and compiler messages into <see cref="CellError"/>s: the sources of all cells so far are known here.</summary>
internal sealed partial class ErrorReport(Func<string, string?> sourceOfPath)
{
    private const string PathPrefix = "cell ";

    public static string PathOf(RunCell cell) => cell.File ?? $"{PathPrefix}{cell.Cell}";

    /// <summary>A directive that could not be followed.</summary>
    public CellError OfDirective(RunCell cell, References.DirectiveException problem)
    {
        var lines = new List<string> { $"{Title(PathOf(cell))}{(problem.Line > 0 ? $", line {problem.Line}" : "")}: {problem.Name}: {problem.Message.Split('\n')[0]}" };
        if (SourceLine(PathOf(cell), problem.Line) is { } source)
        {
            lines.Add($"    {source.Trim()}");
        }

        lines.AddRange(problem.Message.Split('\n').Skip(1).Select(line => $"  {line.TrimEnd()}"));
        return new CellError(CellErrorKind.Compilation, problem.Name, problem.Message, cell.Cell, problem.Line, lines);
    }

    public CellError OfCompilation(RunCell cell, IEnumerable<Diagnostic> diagnostics)
    {
        var lines = new List<string>();
        var errors = diagnostics.Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error).ToArray();
        foreach (var error in errors)
        {
            var place = error.Location.GetLineSpan();
            var position = place.StartLinePosition;
            var path = place.Path is { Length: > 0 } named ? named : PathOf(cell);
            lines.Add($"{Title(path)}, line {position.Line + 1}, column {position.Character + 1}: {error.Id}: {error.GetMessage()}");
            if (SourceLine(path, position.Line + 1) is { } source)
            {
                lines.Add($"    {source}");
                lines.Add($"    {Underline(source, position.Character)}");
                if (UsingDeclaration().Match(source) is { Success: true } declaration)
                {
                    lines.Add($"    C# scripts have no using declarations at top level: write using (var {declaration.Groups["name"].Value} = ...) {{ }}, or put it into a method.");
                }
            }
        }

        if (errors.Any(error => error.Id == "CS1109"))
        {
            lines.Add("    In a cell an extension method stands by itself, without a class around it: static int Twice(this int x) => 2 * x;");
        }

        var first = errors[0];
        return new CellError(CellErrorKind.Compilation, first.Id, first.GetMessage(), cell.Cell, first.Location.GetLineSpan().StartLinePosition.Line + 1, lines);
    }

    public CellError OfException(RunCell cell, Exception thrown, CellErrorKind kind = CellErrorKind.Exception)
    {
        var exception = Unwrap(thrown);
        var lines = new List<string>();
        var place = Describe(exception, PathOf(cell), lines, "");
        var depth = 0;
        for (var inner = exception.InnerException; inner is not null && depth++ < 8; inner = inner.InnerException)
        {
            Describe(inner, PathOf(cell), lines, "caused by ");
        }

        return new CellError(kind, exception.GetType().FullName ?? exception.GetType().Name, exception.Message, cell.Cell, place, lines);
    }

    public static CellError OfTimeout(int cell, TimeSpan limit, bool abandoned)
    {
        var message = $"The cell ran longer than the limit of {limit.TotalSeconds:0.###} s and was {(abandoned ? "abandoned: it did not heed the token Interrupted" : "interrupted")}.";
        return new CellError(CellErrorKind.Timeout, "TimeoutException", message, cell, 0, [$"Cell {cell}: {message}"]);
    }

    public static CellError OfInterrupt(int cell) =>
        new(CellErrorKind.Interrupted, "OperationCanceledException", "The cell was interrupted.", cell, 0, [$"Cell {cell}: interrupted."]);

    private static Exception Unwrap(Exception exception) => exception switch
    {
        AggregateException { InnerExceptions.Count: 1 } aggregate => Unwrap(aggregate.InnerExceptions[0]),
        TargetInvocationException { InnerException: { } inner } => Unwrap(inner),
        _ => exception,
    };

    private int Describe(Exception exception, string path, List<string> lines, string prefix)
    {
        var frames = new StackTrace(exception, fNeedFileInfo: true).GetFrames();
        var places = frames.Select(frame => (Path: PathOf(frame), Line: frame.GetFileLineNumber(), Frame: frame)).ToArray();
        var inCell = places.FirstOrDefault(place => place.Path == path && place.Line > 0);
        var top = Array.FindIndex(places, place => place.Path is not null && place.Line > 0);
        var at = inCell.Line > 0 ? $"{Title(path)}, line {inCell.Line}" : Title(path);
        lines.Add($"{(prefix.Length > 0 ? prefix : $"{at}: ")}{exception.GetType().FullName}: {WithoutNativeFrames(exception.Message)}");
        if (inCell.Line > 0 && SourceLine(path, inCell.Line) is { } source)
        {
            lines.Add($"    {source.Trim()}");
        }

        var collapsed = 0;
        for (var i = 0; i < places.Length; i++)
        {
            if (places[i].Path is not { } place)
            {
                collapsed++;
                continue;
            }

            AddCollapsed(lines, collapsed, top == i ? frames[Math.Max(0, i - 1)] : null);
            collapsed = 0;
            lines.Add($"  at {NameOf(places[i].Frame)} in {Name(place)}, line {places[i].Line}");
        }

        return inCell.Line;
    }

    /// <summary>libtorch ends its messages with the addresses of its own functions.</summary>
    private static string WithoutNativeFrames(string message) =>
        message.IndexOf("\nException raised from ", StringComparison.Ordinal) is > 0 and var end && message.Contains("\nframe #0: ", StringComparison.Ordinal) ? message[..end] : message;

    private static void AddCollapsed(List<string> lines, int count, StackFrame? called)
    {
        if (count > 0)
        {
            var method = called?.GetMethod();
            lines.Add($"  ({count} frame{(count == 1 ? "" : "s")} of libraries{(method is null ? "" : $", entered through {method.DeclaringType?.Name}.{method.Name}")})");
        }
    }

    /// <summary>The file of user code that a frame is in, or null.</summary>
    private string? PathOf(StackFrame frame)
    {
        if (frame.GetFileName() is not { } file)
        {
            return null;
        }

        var name = Path.GetFileName(file);
        return name.StartsWith(PathPrefix, StringComparison.Ordinal) ? name : sourceOfPath(file) is not null ? file : null;
    }

    private static string Name(string path) => Path.GetFileName(path);

    private static string Title(string path) => path.StartsWith(PathPrefix, StringComparison.Ordinal) ? $"C{path[1..]}" : Name(path);

    private static string NameOf(StackFrame frame)
    {
        var method = frame.GetMethod();
        var name = method?.Name is "MoveNext" ? method.DeclaringType?.Name ?? "" : method?.Name ?? "";
        if (name.Contains("<<Initialize>>b__", StringComparison.Ordinal))
        {
            return "a lambda";
        }

        if (name.Contains("<<Initialize>>", StringComparison.Ordinal))
        {
            return "the cell";
        }

        return GeneratedName().Match(name) is { Success: true } match ? match.Groups[1].Value : name;
    }

    private string? SourceLine(string path, int line)
    {
        var lines = sourceOfPath(path)?.Split('\n');
        return lines is not null && line >= 1 && line <= lines.Length ? lines[line - 1].TrimEnd('\r') : null;
    }

    private static string Underline(string source, int column) =>
        string.Concat(source.Take(column).Select(character => character == '\t' ? '\t' : ' ')) + "^";

    [GeneratedRegex(@"^\s*using\s+(?!static\b)[\w.<>\[\]]+\??\s+(?<name>\w+)\s*=")]
    private static partial Regex UsingDeclaration();

    [GeneratedRegex("<([A-Za-z_][A-Za-z0-9_]*)>")]
    private static partial Regex GeneratedName();
}
