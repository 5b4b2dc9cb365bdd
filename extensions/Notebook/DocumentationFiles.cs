using System.Text;
using System.Text.RegularExpressions;
using System.Xml;
using System.Xml.Linq;
using Microsoft.CodeAnalysis;

namespace Toolkit.Notebook;

/// <summary>XML documentation of symbols: beside their assembly, or, for the framework, in the SDK's reference pack. Read when first asked for.</summary>
internal static partial class DocumentationFiles
{
    private static readonly Lock _gate = new();
    private static readonly Dictionary<string, Dictionary<string, string>> _files = [];
    private static readonly Lazy<string?> _pack = new(ReferencePack);

    /// <summary>The first sentences about a symbol; empty where nothing is known.</summary>
    public static string Summary(ISymbol symbol, Compilation compilation) => Member(symbol, compilation) is { } member ? Text(member.Element("summary")) : "";

    /// <summary>All that is written about a symbol: summary, parameters, result, exceptions, remarks.</summary>
    public static string Everything(ISymbol symbol, Compilation compilation)
    {
        if (Member(symbol, compilation) is not { } member)
        {
            return "";
        }

        var text = new StringBuilder(Text(member.Element("summary")));
        Section("Parameters", member.Elements("typeparam").Concat(member.Elements("param")).Select(item => $"  {(string?)item.Attribute("name")}: {Text(item)}"));
        Section("Returns", member.Elements("returns").Select(item => $"  {Text(item)}"));
        Section("Throws", member.Elements("exception").Select(item => $"  {Short((string?)item.Attribute("cref") ?? "")}: {Text(item)}"));
        Section("Remarks", member.Elements("remarks").Select(item => $"  {Text(item)}"));
        return text.ToString();

        void Section(string title, IEnumerable<string> lines)
        {
            var all = lines.Where(line => line.Trim().Length > 0).ToArray();
            if (all.Length > 0)
            {
                text.Append("\n\n").Append(title).Append('\n').AppendJoin('\n', all);
            }
        }
    }

    private static XElement? Member(ISymbol symbol, Compilation compilation)
    {
        symbol = symbol is IMethodSymbol { ReducedFrom: { } extension } ? extension : symbol;
        var definition = symbol.OriginalDefinition;
        if (definition.GetDocumentationCommentId() is not { } id || definition.ContainingAssembly is not { } assembly)
        {
            return null;
        }

        if (definition.DeclaringSyntaxReferences.Length > 0)
        {
            return Parse(definition.GetDocumentationCommentXml() ?? "");
        }

        var file = compilation.GetMetadataReference(assembly) is PortableExecutableReference { FilePath: { } path } ? path : null;
        return Candidates(file).Select(Index).Select(members => members.GetValueOrDefault(id)).FirstOrDefault(found => found is not null) is { } xml ? Parse(xml) : null;
    }

    private static IEnumerable<string> Candidates(string? assembly)
    {
        if (assembly is null)
        {
            yield break;
        }

        var beside = Path.ChangeExtension(assembly, ".xml");
        if (File.Exists(beside))
        {
            yield return beside;
        }
        else if (_pack.Value is { } pack && Path.GetDirectoryName(assembly) == Path.GetDirectoryName(typeof(object).Assembly.Location))
        {
            // What System.Private.CoreLib holds is documented under the names of the assemblies that forward to it.
            var name = Path.GetFileNameWithoutExtension(assembly);
            foreach (var file in new[] { name, "System.Runtime", "System.Collections", "System.Linq", "System.Console", "System.Threading", "System.Threading.Tasks.Parallel", "System.Memory", "System.Runtime.Extensions" })
            {
                if (Path.Combine(pack, file + ".xml") is var path && File.Exists(path))
                {
                    yield return path;
                }
            }
        }
    }

    private static string? ReferencePack()
    {
        var runtime = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        var packs = Path.GetFullPath(Path.Combine(runtime, "..", "..", "..", "packs", "Microsoft.NETCore.App.Ref"));
        return Directory.Exists(packs)
            ? Directory.EnumerateDirectories(packs).Select(version => Path.Combine(version, "ref", $"net{Environment.Version.Major}.{Environment.Version.Minor}")).LastOrDefault(Directory.Exists)
            : null;
    }

    private static Dictionary<string, string> Index(string file)
    {
        lock (_gate)
        {
            if (!_files.TryGetValue(file, out var members))
            {
                _files[file] = members = [];
                try
                {
                    foreach (Match match in MemberPattern().Matches(File.ReadAllText(file)))
                    {
                        members[System.Net.WebUtility.HtmlDecode(match.Groups[1].Value)] = match.Value;
                    }
                }
                catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
                {
                    // No documentation is no failure.
                }
            }

            return members;
        }
    }

    private static XElement? Parse(string xml)
    {
        try
        {
            return xml.Length == 0 ? null : XElement.Parse(xml);
        }
        catch (XmlException)
        {
            return null;
        }
    }

    private static string Text(XElement? element)
    {
        if (element is null)
        {
            return "";
        }

        var text = new StringBuilder();
        foreach (var node in element.DescendantNodes())
        {
            switch (node)
            {
                case XText words:
                    text.Append(words.Value);
                    break;
                case XElement { IsEmpty: true } reference:
                    text.Append(Short((string?)reference.Attribute("cref") ?? (string?)reference.Attribute("langword") ?? (string?)reference.Attribute("name") ?? ""));
                    break;
                case XElement { Name.LocalName: "para" or "item" }:
                    text.Append('\n');
                    break;
            }
        }

        return string.Join('\n', text.ToString().Split('\n').Select(line => Space().Replace(line, " ").Trim()).Where(line => line.Length > 0));
    }

    private static string Short(string reference)
    {
        var name = reference.Length > 2 && reference[1] == ':' ? reference[2..] : reference;
        var head = name.Split('(')[0];
        return head[(head.LastIndexOf('.') + 1)..];
    }

    [GeneratedRegex("<member name=\"([^\"]+)\"\\s*>.*?</member>", RegexOptions.Singleline)]
    private static partial Regex MemberPattern();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();
}
