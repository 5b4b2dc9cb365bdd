using System.Text.Json;

namespace Toolkit.Notebook.Repl;

/// <summary>What was typed before, in this session and earlier ones: a file with one JSON string a line.</summary>
internal sealed class InputHistory
{
    private const int Most = 2000;
    private readonly string? _file;
    private readonly List<string> _entries = [];
    private int _at;

    /// <summary>Reads the file; null keeps the history in memory.</summary>
    public InputHistory(string? file)
    {
        _file = file;
        if (file is not null && File.Exists(file))
        {
            foreach (var line in File.ReadLines(file).TakeLast(Most))
            {
                try
                {
                    _entries.Add(JsonSerializer.Deserialize<string>(line) ?? "");
                }
                catch (JsonException)
                {
                    // A line that was cut off by a crash is not worth a message.
                }
            }
        }

        _at = _entries.Count;
    }

    /// <summary>The file of this user.</summary>
    public static string UserFile =>
        Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.Create), "toolkit", "repl-history");

    public IReadOnlyList<string> Entries => _entries;

    /// <summary>Keeps an input; one that repeats the latest is kept once.</summary>
    public void Add(string text)
    {
        if (_entries.LastOrDefault() != text)
        {
            _entries.Add(text);
            try
            {
                if (_file is not null)
                {
                    Directory.CreateDirectory(Path.GetDirectoryName(_file)!);
                    File.AppendAllText(_file, JsonSerializer.Serialize(text) + "\n");
                }
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
            {
                // A prompt without a writable home still works.
            }
        }

        _at = _entries.Count;
    }

    /// <summary>The entry before the one that was looked at last, or null.</summary>
    public string? Previous() => _at > 0 ? _entries[--_at] : null;

    /// <summary>The entry after the one that was looked at last; empty behind the newest.</summary>
    public string? Next() => _at >= _entries.Count ? null : ++_at == _entries.Count ? "" : _entries[_at];
}
