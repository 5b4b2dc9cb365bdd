using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Toolkit.Checkpoints;

/// <summary>
/// The metadata of a GGUF file in its order: values are <see cref="byte"/>, <see cref="sbyte"/>, <see cref="ushort"/>, <see cref="short"/>,
/// <see cref="uint"/>, <see cref="int"/>, <see cref="ulong"/>, <see cref="long"/>, <see cref="float"/>, <see cref="double"/>, <see cref="bool"/>,
/// <see cref="string"/>, arrays of these, or an <see cref="Array"/>[] of arrays. The methods read a value as what it is meant to be, of whatever width the
/// file stores it with.
/// </summary>
public sealed class GgufMetadata : IReadOnlyDictionary<string, object>
{
    private readonly string _path;
    private readonly OrderedDictionary<string, object> _values;

    /// <summary>Metadata of these values.</summary>
    /// <exception cref="ArgumentException">A key is there twice, or a value is of no type that the format has.</exception>
    public GgufMetadata(IEnumerable<KeyValuePair<string, object>> values)
        : this("GGUF metadata", new(values, StringComparer.Ordinal))
    {
        foreach (var (key, value) in _values)
        {
            if (!GgufValueTypes.IsKnown(value))
            {
                throw new ArgumentException($"the metadata \"{key}\" is a {value?.GetType().Name ?? "null"}, which GGUF cannot hold", nameof(values));
            }
        }
    }

    internal GgufMetadata(string path, OrderedDictionary<string, object> values)
    {
        _path = path;
        _values = values;
    }

    /// <inheritdoc/>
    public IEnumerable<string> Keys => _values.Keys;

    /// <inheritdoc/>
    public IEnumerable<object> Values => _values.Values;

    /// <inheritdoc/>
    public int Count => _values.Count;

    /// <inheritdoc/>
    public object this[string key] => _values.TryGetValue(key, out var value) ? value : throw new KeyNotFoundException($"{_path}: there is no metadata \"{key}\"");

    /// <summary>A text, or null if the key is not there.</summary>
    /// <exception cref="CheckpointException">The value is something else.</exception>
    public string? Text(string key) => Find(key) switch { null => null, string text => text, var other => throw Other(key, other, "a text") };

    /// <summary>A whole number, or null if the key is not there.</summary>
    /// <exception cref="CheckpointException">The value is something else.</exception>
    public long? Integer(string key) => Find(key) is not { } value ? null : AsInteger(value) ?? throw Other(key, value, "a whole number");

    /// <summary>A number, or null if the key is not there.</summary>
    /// <exception cref="CheckpointException">The value is something else.</exception>
    public double? Number(string key) => Find(key) is not { } value ? null : AsNumber(value) ?? throw Other(key, value, "a number");

    /// <summary>A yes or no, or null if the key is not there.</summary>
    /// <exception cref="CheckpointException">The value is something else.</exception>
    public bool? Flag(string key) => Find(key) switch { null => null, bool flag => flag, var other => throw Other(key, other, "true or false") };

    /// <summary>Texts, or null if the key is not there.</summary>
    /// <exception cref="CheckpointException">The value is something else.</exception>
    public string[]? Texts(string key) => Find(key) switch { null => null, string[] texts => texts, var other => throw Other(key, other, "an array of texts") };

    /// <summary>Whole numbers, or null if the key is not there.</summary>
    /// <exception cref="CheckpointException">The value is something else.</exception>
    public long[]? Integers(string key) => Items(key, AsInteger, "an array of whole numbers");

    /// <summary>Numbers, or null if the key is not there.</summary>
    /// <exception cref="CheckpointException">The value is something else.</exception>
    public double[]? Numbers(string key) => Items(key, AsNumber, "an array of numbers");

    /// <inheritdoc/>
    public bool ContainsKey(string key) => _values.ContainsKey(key);

    /// <inheritdoc/>
    public bool TryGetValue(string key, [MaybeNullWhen(false)] out object value) => _values.TryGetValue(key, out value);

    /// <inheritdoc/>
    public IEnumerator<KeyValuePair<string, object>> GetEnumerator() => _values.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private static long? AsInteger(object value) => value switch
    {
        byte number => number,
        sbyte number => number,
        ushort number => number,
        short number => number,
        uint number => number,
        int number => number,
        long number => number,
        ulong number and <= long.MaxValue => (long)number,
        _ => null,
    };

    private static double? AsNumber(object value) => value switch { float number => number, double number => number, ulong number => number, _ => AsInteger(value) };

    private object? Find(string key) => _values.GetValueOrDefault(key);

    private T[]? Items<T>(string key, Func<object, T?> read, string what)
        where T : struct
    {
        switch (Find(key))
        {
            case null:
                return null;
            case T[] same:
                return same;
            case Array array and not Array[]:
                var items = new T[array.Length];
                for (var i = 0; i < items.Length; i++)
                {
                    items[i] = read(array.GetValue(i)!) ?? throw Other(key, array, what);
                }

                return items;
            case var other:
                throw Other(key, other, what);
        }
    }

    private CheckpointException Other(string key, object value, string expected)
    {
        var shown = value is Array array ? $"an array of {array.Length}" : CheckpointException.Shorten(string.Create(CultureInfo.InvariantCulture, $"{value}"));
        return CheckpointException.In(_path, $"the metadata \"{CheckpointException.Shorten(key)}\" is {shown}, not {expected}");
    }
}
