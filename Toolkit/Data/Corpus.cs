namespace Toolkit.Data;

/// <summary>Documents to train on and documents to validate on, with the licence and origin of their text. Nothing is ever downloaded.</summary>
public sealed class Corpus
{
    private const string DataSets = "datasets";
    private const int DefaultValidationEvery = 10;

    private Corpus(string name, string title, string licence, string origin, IEnumerable<string> documents, int validationEvery)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentOutOfRangeException.ThrowIfNegative(validationEvery);
        (Name, Title, Licence, Origin) = (name, title, licence, origin);
        var parts = documents.Index().ToLookup(d => validationEvery > 0 && (d.Index + 1) % validationEvery == 0, d => d.Item);
        Train = [.. parts[false]];
        Validation = [.. parts[true]];
        if (Train.Count == 0)
        {
            throw new InvalidDataException($"corpus '{name}' has no documents to train on ({Validation.Count} to validate on)");
        }
    }

    private Corpus(Corpus whole, IEnumerable<string> train, IEnumerable<string> validation)
    {
        (Name, Title, Licence, Origin) = (whole.Name, whole.Title, whole.Licence, whole.Origin);
        (Train, Validation) = ([.. train], [.. validation]);
    }

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>What it is, in words.</summary>
    public string Title { get; }

    /// <summary>The licence of the text.</summary>
    public string Licence { get; }

    /// <summary>Where the text was taken from.</summary>
    public string Origin { get; }

    /// <summary>The documents to train on.</summary>
    public IReadOnlyList<string> Train { get; }

    /// <summary>The documents to validate on: in a data set of this repository, every tenth. Empty where there are fewer documents than that.</summary>
    public IReadOnlyList<string> Validation { get; }

    /// <summary>
    /// Opens a data set: a folder with a <c>corpus.json</c>, or a name that is looked up as <c>datasets/&lt;name&gt;</c> in the current
    /// directory and all above it, then in the program's directory and all above it. The checksum of every file is verified.
    /// </summary>
    /// <exception cref="DirectoryNotFoundException">There is no such data set; the message lists those that there are.</exception>
    /// <exception cref="InvalidDataException">The manifest is malformed, or a file is missing or is not the one that the manifest describes.</exception>
    public static Corpus Open(string nameOrFolder)
    {
        ArgumentException.ThrowIfNullOrEmpty(nameOrFolder);
        var folder = Find(nameOrFolder);
        var manifest = CorpusManifest.Read(folder);
        var documents = manifest.Files.SelectMany(file => TextFile.Split(file.ReadText(folder), manifest.Separator));
        return new Corpus(manifest.Name, manifest.Title, manifest.Licence, manifest.Origin, documents, manifest.ValidationEvery);
    }

    /// <summary>A corpus of documents at hand.</summary>
    /// <param name="name">A name for it.</param>
    /// <param name="documents">The documents; empty ones are left out.</param>
    /// <param name="validationEvery">Every n-th document is validation; 0: none is.</param>
    /// <param name="licence">The licence of the text.</param>
    /// <param name="origin">Where it comes from.</param>
    /// <exception cref="InvalidDataException">There is no document to train on.</exception>
    public static Corpus FromText(
        string name, IEnumerable<string> documents, int validationEvery = DefaultValidationEvery, string licence = "unknown", string origin = "given as text") =>
        new(name, name, licence, origin, documents.Where(document => document.Length > 0), validationEvery);

    /// <summary>A corpus of the documents in a text file (UTF-8; unpacked where it is named *.gz).</summary>
    /// <param name="path">The file.</param>
    /// <param name="separator">What stands between two documents: by default an empty line.</param>
    /// <param name="validationEvery">Every n-th document is validation; 0: none is.</param>
    /// <param name="licence">The licence of the text.</param>
    /// <exception cref="InvalidDataException">There is no document to train on, or the file is not text.</exception>
    public static Corpus FromFile(string path, string separator = "\n\n", int validationEvery = DefaultValidationEvery, string licence = "unknown")
    {
        ArgumentException.ThrowIfNullOrEmpty(separator);
        var text = TextFile.Decode(File.ReadAllBytes(path), path);
        return FromText(Path.GetFileName(path), TextFile.Split(text, separator), validationEvery, licence, path);
    }

    /// <summary>At most <paramref name="count"/> training documents, spread evenly over the corpus; the same ones every time.</summary>
    public IEnumerable<string> Sample(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        return Spread(Train, count);
    }

    /// <summary>A smaller corpus: of the training and of the validation documents at most so many, spread evenly; for a first try.</summary>
    /// <param name="count">The most documents to train on, and the most to validate on; at least 1.</param>
    public Corpus Take(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        return new(this, Spread(Train, count), Spread(Validation, count));
    }

    /// <summary>One line: name, documents, licence.</summary>
    public override string ToString() => $"{Name}: {Train.Count} documents to train on, {Validation.Count} to validate on; {Licence}";

    private static IEnumerable<string> Spread(IReadOnlyList<string> documents, int count)
    {
        var taken = Math.Min(count, documents.Count);
        return Enumerable.Range(0, taken).Select(i => documents[(int)((long)i * documents.Count / taken)]);
    }

    private static string Find(string nameOrFolder)
    {
        if (File.Exists(Path.Combine(nameOrFolder, CorpusManifest.FileName)))
        {
            return nameOrFolder;
        }

        var isName = nameOrFolder is not ("." or "..") && nameOrFolder.IndexOfAny(['/', '\\']) < 0;
        var places = DataSetFolders().ToArray();
        var known = places.SelectMany(place => Directory.EnumerateDirectories(place)).Select(folder => Path.GetFileName(folder)).Distinct().Order(StringComparer.Ordinal);
        return (isName ? places.Select(place => Path.Combine(place, nameOrFolder)).FirstOrDefault(Directory.Exists) : null)
            ?? (Directory.Exists(nameOrFolder) ? nameOrFolder : null)
            ?? throw new DirectoryNotFoundException(
                $"there is no data set '{nameOrFolder}': no folder of that name with a {CorpusManifest.FileName}, and the folders {DataSets}/ above "
                + $"{Directory.GetCurrentDirectory()} and {AppContext.BaseDirectory} hold {string.Join(", ", known.DefaultIfEmpty("nothing"))}");
    }

    private static IEnumerable<string> DataSetFolders()
    {
        foreach (var start in new[] { Directory.GetCurrentDirectory(), AppContext.BaseDirectory })
        {
            for (var folder = new DirectoryInfo(start); folder is not null; folder = folder.Parent)
            {
                var place = Path.Combine(folder.FullName, DataSets);
                if (Directory.Exists(place))
                {
                    yield return place;
                }
            }
        }
    }
}
