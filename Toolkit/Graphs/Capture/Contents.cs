using System.Collections;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Toolkit.Graphs.Capture;

/// <summary>The elements that a collection had.</summary>
internal abstract class Contents
{
    /// <summary>More elements than this are not watched.</summary>
    public const int Most = 1 << 16;

    /// <summary>How many there were.</summary>
    public abstract int Count { get; }

    /// <summary>Whether it still has them.</summary>
    public abstract bool Holds();

    /// <summary>The elements.</summary>
    public abstract IEnumerable<object?> Elements { get; }

    /// <summary>Of a collection; null where it is none that can be watched.</summary>
    public static Contents? Of(object collection)
    {
        var type = collection.GetType();
        if (collection is not IEnumerable sequence || (collection is ICollection { Count: > Most }))
        {
            return null;
        }

        if (collection is Array { Rank: 1 })
        {
            return Make(typeof(ArrayContents<>), type.GetElementType()!, collection);
        }

        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(List<>))
        {
            return Make(typeof(ListContents<>), type.GetGenericArguments()[0], collection);
        }

        if (collection is IDictionary { Count: 0 } && type.IsGenericType && type.GetGenericTypeDefinition() == typeof(Dictionary<,>))
        {
            return (Contents)Activator.CreateInstance(typeof(EmptyDictionaryContents<,>).MakeGenericType(type.GetGenericArguments()), collection)!;
        }

        // TorchSharp's ordered dictionaries can be gone through by pairs alone.
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(TorchSharp.Utils.OrderedDict<,>))
        {
            return (Contents)Activator.CreateInstance(typeof(PairContents<,>).MakeGenericType(type.GetGenericArguments()), collection)!;
        }

        return collection is IDictionary dictionary ? new DictionaryContents(dictionary) : new SequenceContents(sequence);
    }

    /// <summary>Whether an element is what it was: the same object, or an equal value.</summary>
    protected static bool IsSame(object? a, object? b) => ReferenceEquals(a, b) || (a is ValueType or string && Equals(a, b));

    private static Contents Make(Type definition, Type element, object collection) => (Contents)Activator.CreateInstance(definition.MakeGenericType(element), collection)!;
}

/// <summary>Of an array.</summary>
internal sealed class ArrayContents<T>(T[] array) : Contents
{
    private readonly T[] _elements = [.. array];

    public override int Count => _elements.Length;

    public override IEnumerable<object?> Elements => _elements.Cast<object?>();

    public override bool Holds() => SpanContents.AreSame<T>(array, _elements);
}

/// <summary>Of a list.</summary>
internal sealed class ListContents<T>(List<T> list) : Contents
{
    private readonly T[] _elements = [.. list];

    public override int Count => _elements.Length;

    public override IEnumerable<object?> Elements => _elements.Cast<object?>();

    public override bool Holds() => SpanContents.AreSame<T>(CollectionsMarshal.AsSpan(list), _elements);
}

/// <summary>Compares elements without boxes.</summary>
internal static class SpanContents
{
    public static bool AreSame<T>(ReadOnlySpan<T> now, ReadOnlySpan<T> then)
    {
        if (now.Length != then.Length)
        {
            return false;
        }

        for (var i = 0; i < now.Length; i++)
        {
            var same = typeof(T).IsValueType || now[i] is string ? EqualityComparer<T>.Default.Equals(now[i], then[i]) : ReferenceEquals(now[i], then[i]);
            if (!same)
            {
                return false;
            }
        }

        return true;
    }
}

/// <summary>Of a dictionary without entries, as a module's hooks nearly always are: asked without a detour, for there are several in every module.</summary>
internal sealed class EmptyDictionaryContents<TKey, TValue>(Dictionary<TKey, TValue> dictionary) : Contents
    where TKey : notnull
{
    public override int Count => 0;

    public override IEnumerable<object?> Elements => [];

    public override bool Holds() => dictionary.Count == 0;
}

/// <summary>Of a dictionary.</summary>
internal sealed class DictionaryContents : Contents
{
    private readonly IDictionary _dictionary;
    private readonly (object Key, object? Value)[] _entries;

    public DictionaryContents(IDictionary dictionary)
    {
        _dictionary = dictionary;
        _entries = [.. Entries(dictionary)];
    }

    public override int Count => _entries.Length;

    public override IEnumerable<object?> Elements => _entries.SelectMany(entry => new[] { entry.Key, entry.Value });

    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // as GuardTable's
    public override bool Holds()
    {
        if (_dictionary.Count != _entries.Length)
        {
            return false;
        }

        return _entries.Length == 0 || Entries(_dictionary).Zip(_entries).All(pair => IsSame(pair.First.Key, pair.Second.Key) && IsSame(pair.First.Value, pair.Second.Value));
    }

    private static IEnumerable<(object Key, object? Value)> Entries(IDictionary dictionary)
    {
        foreach (DictionaryEntry entry in dictionary)
        {
            yield return (entry.Key, entry.Value);
        }
    }
}

/// <summary>Of pairs in order.</summary>
internal sealed class PairContents<TKey, TValue>(IEnumerable<(TKey Key, TValue Value)> pairs) : Contents
{
    private readonly (TKey Key, TValue Value)[] _pairs = [.. pairs];

    public override int Count => _pairs.Length;

    public override IEnumerable<object?> Elements => _pairs.SelectMany(pair => new object?[] { pair.Key, pair.Value });

    public override bool Holds()
    {
        var i = 0;
        foreach (var (key, value) in pairs)
        {
            if (i == _pairs.Length || !IsSame(key, _pairs[i].Key) || !IsSame(value, _pairs[i++].Value))
            {
                return false;
            }
        }

        return i == _pairs.Length;
    }
}

/// <summary>Of anything else that can be gone through.</summary>
internal sealed class SequenceContents(IEnumerable sequence) : Contents
{
    private readonly object?[] _elements = [.. sequence.Cast<object?>()];

    public override int Count => _elements.Length;

    public override IEnumerable<object?> Elements => _elements;

    public override bool Holds()
    {
        var i = 0;
        foreach (var element in sequence)
        {
            if (i == _elements.Length || !IsSame(element, _elements[i++]))
            {
                return false;
            }
        }

        return i == _elements.Length;
    }
}
